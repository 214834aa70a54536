//! TensorZero's inference API, the door's side.
