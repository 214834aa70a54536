//! Signatures of tool calls, for clients whose protocol has no place for them on a call.
//!
//! Invariant: what [`spread`] and [`Spread`] put beside a call, [`gather`] puts back on it. Beside it
//! stands a thought without words, which clients of every protocol send back as it came; it carries
//! the call's id, so that neither order nor distance matters.

use std::borrow::Cow;

use sabir_types::{Block, Delta, Event, Thinking, ToolCall};

/// What the id of such a thought begins with.
const OF_CALL: &str = "call:";
/// What is added to a call's number to get that of its thought: no answer has as many blocks.
const BESIDE: u32 = 1 << 24;

/// The content with the signatures of its calls in thoughts of their own. `maker`: the provider type.
pub(crate) fn spread<'a>(content: &'a [Block], maker: Option<&str>) -> Cow<'a, [Block]> {
    if !content.iter().any(|block| signature(block).is_some()) {
        return Cow::Borrowed(content);
    }
    let mut out = Vec::with_capacity(content.len() + 1);
    for block in content {
        if let (Block::ToolCall(call), Some(signature)) = (block, signature(block)) {
            out.push(Block::Thinking(Thinking {
                id: Some(format!("{OF_CALL}{}", call.id)),
                signature: Some(signature.to_owned()),
                provider: maker.map(str::to_owned),
                ..Thinking::default()
            }));
            out.push(Block::ToolCall(ToolCall { signature: None, ..call.clone() }));
        } else {
            out.push(block.clone());
        }
    }
    Cow::Owned(out)
}

/// Whether a thought's id says that it stands for a call's signature.
pub(crate) fn is_of_call(id: &str) -> bool {
    id.starts_with(OF_CALL)
}

/// Puts signatures back on the calls of a turn. Those of calls that are not there any more are of no use.
pub(crate) fn gather(content: &mut Vec<Block>) {
    if !content.iter().any(|block| of_call(block).is_some()) {
        return;
    }
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    content.retain_mut(|block| match (of_call(block).map(str::to_owned), block) {
        (Some(id), Block::Thinking(thought)) => {
            found.push((id, thought.signature.take()));
            false
        }
        _ => true,
    });
    for block in content {
        if let Block::ToolCall(call) = block
            && let Some((_, signature)) = found.iter_mut().find(|(id, _)| *id == call.id)
        {
            call.signature = signature.take();
        }
    }
}

fn signature(block: &Block) -> Option<&str> {
    match block {
        Block::ToolCall(call) => call.signature.as_deref(),
        _ => None,
    }
}

fn of_call(block: &Block) -> Option<&str> {
    match block {
        Block::Thinking(thought) => thought.id.as_deref()?.strip_prefix(OF_CALL),
        _ => None,
    }
}

/// The same for events: a call waits for the event after it, which may be its signature.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    held: Option<Event>,
}

impl Spread {
    /// Hands over what is to be written now, in order.
    pub(crate) fn take(&mut self, event: &Event, mut write: impl FnMut(&Event)) {
        let held = self.held.take();
        if let (
            Some(Event::Delta { choice, block, delta: Delta::ToolCall { id, .. } }),
            Event::Delta { choice: of, block: on, delta: signature @ Delta::Signature { .. } },
        ) = (&held, event)
            && (choice, block) == (of, on)
        {
            let beside = block.saturating_add(BESIDE);
            let delta = Delta::ThinkingId { id: format!("{OF_CALL}{id}") };
            write(&Event::Delta { choice: *choice, block: beside, delta });
            write(&Event::Delta { choice: *choice, block: beside, delta: signature.clone() });
            held.iter().for_each(write);
            return;
        }
        held.iter().for_each(&mut write);
        match event {
            Event::Delta { delta: Delta::ToolCall { .. }, .. } => self.held = Some(event.clone()),
            event => write(event),
        }
    }

    /// Hands over what is still held: nothing follows.
    pub(crate) fn end(&mut self, write: impl FnMut(&Event)) {
        self.held.take().iter().for_each(write);
    }
}

#[cfg(test)]
mod tests {
    use sabir_types::{Accumulator, CallKind};

    use super::*;

    fn call(id: &str, signature: Option<&str>) -> Block {
        Block::ToolCall(ToolCall {
            id: id.into(),
            name: "f".into(),
            arguments: "{}".into(),
            signature: signature.map(str::to_owned),
            ..ToolCall::default()
        })
    }

    #[test]
    fn what_is_spread_is_gathered() {
        let content = vec![Block::text("hm"), call("a", Some("s1")), call("b", None), call("c", Some("s3"))];
        let mut wide = spread(&content, Some("gemini")).into_owned();
        assert_eq!(wide.len(), 6);
        assert!(matches!(&wide[1], Block::Thinking(thought) if thought.provider.as_deref() == Some("gemini")));
        assert_eq!(wide[2], call("a", None));
        // A client may have put its own order into it.
        wide.swap(1, 4);
        gather(&mut wide);
        wide.sort_by_key(|block| matches!(block, Block::ToolCall(call) if call.id == "c"));
        assert!(wide.contains(&content[1]) && wide.contains(&content[2]) && wide.contains(&content[3]));
        assert_eq!(wide.len(), 4);
        let plain = vec![Block::text("hm"), call("b", None)];
        assert!(matches!(spread(&plain, None), Cow::Borrowed(_)));
    }

    #[test]
    fn events_add_up_to_the_same() {
        let event = |block, delta| Event::Delta { choice: 0, block, delta };
        let begun = |id: &str| Delta::ToolCall { id: id.into(), name: "f".into(), kind: CallKind::Function };
        let events = [
            event(0, Delta::Text { text: "hm".into() }),
            event(1, begun("a")),
            event(1, Delta::Signature { signature: "s1".into() }),
            event(1, Delta::Arguments { text: "{}".into() }),
            event(2, begun("b")),
            event(2, Delta::Arguments { text: "{}".into() }),
            event(3, begun("c")),
        ];
        let (mut answer, mut spreading) = (Accumulator::new(), Spread::default());
        // An accumulator wants blocks in their order and without gaps.
        let mut numbers = Vec::new();
        let mut push = |event: &Event| {
            let Event::Delta { choice, block, delta } = event else { panic!("{event:?}") };
            let at = numbers.iter().position(|known| known == block).unwrap_or_else(|| {
                numbers.push(*block);
                numbers.len() - 1
            });
            answer.push(&Event::Delta { choice: *choice, block: at as u32, delta: delta.clone() });
        };
        for event in &events {
            spreading.take(event, &mut push);
        }
        spreading.end(&mut push);
        let mut content = answer.finish().choices.remove(0).content;
        assert_eq!(content.len(), 5);
        gather(&mut content);
        let signatures: Vec<_> = content.iter().filter_map(signature).collect();
        assert_eq!((content.len(), signatures), (4, vec!["s1"]));
        assert_eq!(content[1], call("a", Some("s1")));
    }
}
