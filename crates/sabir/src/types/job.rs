//! Work that takes its time: batches and fine-tuning.

use sabir_types::Value;

use super::loose::records;

records! {
    /// How many requests of a batch are how far.
    RequestCounts {
        /// All of them.
        total: i64,
        /// Those that were answered.
        completed: i64,
        /// Those that failed.
        failed: i64,
    }

    /// Many calls in one file.
    Batch {
        /// Its id.
        id: String,
        /// Always `batch`.
        object: String,
        /// What is called.
        endpoint: String,
        /// The file with the requests.
        input_file_id: String,
        /// The file with the answers.
        output_file_id: Option<String>,
        /// The file with the errors.
        error_file_id: Option<String>,
        /// In which time it is done.
        completion_window: String,
        /// How far it is: `validating`, `in_progress`, `finalizing`, `completed`, `failed`,
        /// `expired`, `cancelling`, `cancelled`.
        status: String,
        /// What is wrong with it.
        errors: Option<Value>,
        /// When it was made, in seconds since 1970.
        created_at: i64,
        /// When it was done, in seconds since 1970.
        completed_at: Option<i64>,
        /// How far its requests are.
        request_counts: Option<RequestCounts>,
        /// The model.
        model: Option<String>,
        /// The tokens that it took.
        usage: Option<Value>,
        /// The caller's own notes.
        metadata: Option<Value>,
    }

    /// A model that is being trained.
    FineTuningJob {
        /// Its id.
        id: String,
        /// Always `fine_tuning.job`.
        object: String,
        /// The model that it begins with.
        model: String,
        /// The model that came of it.
        fine_tuned_model: Option<String>,
        /// How far it is: `validating_files`, `queued`, `running`, `paused`, `succeeded`,
        /// `failed`, `cancelled`.
        status: String,
        /// Why it failed.
        error: Option<Value>,
        /// When it was made, in seconds since 1970.
        created_at: i64,
        /// When it was done, in seconds since 1970.
        finished_at: Option<i64>,
        /// The file with the examples.
        training_file: String,
        /// The file with those to test with.
        validation_file: Option<String>,
        /// The files with what came of it.
        result_files: Vec<String>,
        /// How many tokens it was trained with.
        trained_tokens: Option<i64>,
        /// How it is trained.
        hyperparameters: Option<Value>,
        /// The same, for each way of training.
        method: Option<Value>,
        /// The organization that it belongs to.
        organization_id: String,
        /// A number that makes it repeatable.
        seed: Option<i64>,
        /// The caller's own notes.
        metadata: Option<Value>,
    }

    /// Something that happened in a fine-tuning job.
    FineTuningEvent {
        /// Its id.
        id: String,
        /// Always `fine_tuning.job.event`.
        object: String,
        /// When it was, in seconds since 1970.
        created_at: i64,
        /// How bad it is: `info`, `warn`, `error`.
        level: String,
        /// What happened.
        message: String,
        /// The same as data.
        data: Option<Value>,
        /// What it is: `message`, `metrics`.
        kind = "type": Option<String>,
    }

    /// A state of a model that is being trained.
    FineTuningCheckpoint {
        /// Its id.
        id: String,
        /// Always `fine_tuning.job.checkpoint`.
        object: String,
        /// When it was made, in seconds since 1970.
        created_at: i64,
        /// The model of this state.
        fine_tuned_model_checkpoint: String,
        /// The job that it belongs to.
        fine_tuning_job_id: String,
        /// How good it is.
        metrics: Option<Value>,
        /// After which step it is.
        step_number: i64,
    }
}
