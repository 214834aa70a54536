//! What the wire's readers must bear: every byte that can come from outside.
//!
//! Invariant: no target panics by itself; what panics is an assertion about a reader. The fuzzer,
//! the smoke test and the property tests call the same functions.

use sabir_types::{Accumulator, ChatRequest, Event, Map, Operation, Request, Result, Value};
use sabir_wire::{
    anthropic, event_stream::EventStreamDecoder, gemini, multipart, ndjson::NdjsonDecoder, openai, rerank, responses,
    sse::SseDecoder, tensorzero,
};

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("sse", sse),
    ("ndjson", ndjson),
    ("event_stream", event_stream),
    ("multipart", multipart),
    ("media_parse", media_parse),
    ("media_answer", media_answer),
    ("openai_peek", openai_peek),
    ("openai_parse", openai_parse),
    ("openai_stream", openai_stream),
    ("anthropic_parse", anthropic_parse),
    ("anthropic_stream", anthropic_stream),
    ("gemini_parse", gemini_parse),
    ("gemini_stream", gemini_stream),
    ("responses_parse", responses_parse),
    ("responses_stream", responses_stream),
    ("tensorzero_parse", tensorzero_parse),
];

/// Reads bytes in pieces of these sizes (again and again); no size means all at once.
type InPieces<T> = dyn Fn(&[u8], &[usize], usize) -> (Vec<T>, bool);

/// Server-sent events, cut by the sum of the bytes.
pub fn sse(data: &[u8]) {
    sse_in(data, &sizes(data));
}

/// Server-sent events in pieces of these sizes.
pub fn sse_in(data: &[u8], sizes: &[usize]) {
    type Seen = (Option<String>, String, Option<String>);
    same_in_pieces::<Seen>(data, sizes, &|data, sizes, limit| {
        let mut events = Vec::new();
        let mut take = |event: sabir_wire::sse::SseEvent<'_>| {
            events.push((event.event.map(str::to_owned), event.data.to_owned(), event.id.map(str::to_owned)));
            Ok(())
        };
        let mut decoder = SseDecoder::with_limit(limit);
        let mut outcome = pieces(data, sizes).try_for_each(|piece| decoder.feed(piece, &mut take));
        if outcome.is_ok() {
            outcome = decoder.finish(&mut take);
        }
        (events, outcome.is_ok())
    });
}

/// JSON lines, cut by the sum of the bytes.
pub fn ndjson(data: &[u8]) {
    ndjson_in(data, &sizes(data));
}

/// JSON lines in pieces of these sizes.
pub fn ndjson_in(data: &[u8], sizes: &[usize]) {
    same_in_pieces::<String>(data, sizes, &|data, sizes, limit| {
        let mut lines = Vec::new();
        let mut take = |line: &str| {
            lines.push(line.to_owned());
            Ok(())
        };
        let mut decoder = NdjsonDecoder::with_limit(limit);
        let mut outcome = pieces(data, sizes).try_for_each(|piece| decoder.feed(piece, &mut take));
        if outcome.is_ok() {
            outcome = decoder.finish(&mut take);
        }
        (lines, outcome.is_ok())
    });
}

/// AWS event stream, cut by the sum of the bytes.
pub fn event_stream(data: &[u8]) {
    event_stream_in(data, &sizes(data));
}

/// AWS event stream in pieces of these sizes.
pub fn event_stream_in(data: &[u8], sizes: &[usize]) {
    same_in_pieces::<String>(data, sizes, &|data, sizes, limit| {
        let mut frames = Vec::new();
        let mut take = |frame: sabir_wire::event_stream::Frame<'_>| {
            frames.push(format!("{frame:?}"));
            Ok(())
        };
        let mut decoder = EventStreamDecoder::with_limit(limit);
        let mut outcome = pieces(data, sizes).try_for_each(|piece| decoder.feed(piece, &mut take));
        if outcome.is_ok() {
            outcome = decoder.finish();
        }
        (frames, outcome.is_ok())
    });
}

/// A look at a request: what it sees is what stands there, and what a full reading says.
pub fn openai_peek(data: &[u8]) {
    let looks = [openai::peek::peek(data), openai::peek::deployment(data)];
    let _ = (openai::peek::embedding(data), openai::peek::embedding_deployment(data));
    let value: Option<Value> = serde_json::from_slice(data).ok();
    let read = openai::parse::chat(data);
    for look in looks.into_iter().flatten() {
        let Some(value) = &value else {
            // A number that no float can hold is JSON all the same.
            serde_json::from_slice::<serde::de::IgnoredAny>(data).expect("a body was accepted, so it is JSON");
            continue;
        };
        assert_eq!(value["model"].as_str().unwrap_or_default(), look.model, "model");
        assert_eq!(value["stream"].as_bool().unwrap_or(false), look.stream, "stream");
        if let Some(at) = &look.model_at {
            let written: String = serde_json::from_slice(&data[at.clone()]).expect("the model stands there");
            assert_eq!(written, look.model, "where the model stands");
        }
        if let Ok(Request::Chat(chat)) = &read {
            assert_eq!(chat.stream, look.stream, "stream, read");
            assert_eq!(chat.params.n, look.n, "n, read");
            assert_eq!(chat.stream_usage, look.include_usage, "include_usage, read");
        }
    }
}

/// A request that is read and written for OpenAI is read again, and then nothing changes any more.
pub fn openai_parse(data: &[u8]) {
    if let Ok(Request::Embed(read)) = openai::embed::parse(data) {
        let dialect = openai::embed::Dialect::OPENAI;
        let written = openai::embed::emit(&read, "m", &dialect, &mut Vec::new()).expect("what was read can be written");
        let Ok(Request::Embed(again)) = openai::embed::parse(&written) else { panic!("what was written is not read") };
        assert_eq!(read, again);
    }
    let Ok(Request::Chat(read)) = openai::parse::chat(data) else { return };
    for dialect in [openai::emit::Dialect::OPENAI, openai::emit::Dialect::COMPATIBLE] {
        settles(&read, &|chat| openai::emit::chat(chat, "m", &dialect, &mut Vec::new()), &openai_chat);
    }
    // Who takes little: what is left is still a request.
    let narrow = openai::emit::Dialect {
        choices: openai::emit::Choices::AUTO_OR_NONE,
        temperature: Some((0.0, 1.0)),
        top_p: Some((0.0, 1.0)),
        max_stops: Some(1),
        alternate: true,
        id_length: Some(9),
        ..openai::emit::Dialect::COMPATIBLE
    };
    if let Ok(written) = openai::emit::chat(&read, "m", &narrow, &mut Vec::new()) {
        openai_chat(&written).expect("what was written is read");
    }
    elsewhere(&read);
}

/// A form: its parts are slices of it, and a form that is made of them has the same parts.
pub fn multipart(data: &[u8]) {
    let Ok(parts) = multipart::parse(data) else { return };
    multipart::content_type(data).expect("a form says what it is");
    let mut writer = multipart::Writer::new();
    for part in &parts {
        assert_eq!(&data[part.at.clone()], part.data, "where a part stands");
        match &part.filename {
            Some(filename) => writer.file(&part.name, filename, part.mime.unwrap_or("x/y"), part.data),
            None => writer.text(&part.name, String::from_utf8_lossy(part.data)),
        }
    }
    let form = writer.finish();
    if parts.is_empty() {
        return;
    }
    let again = multipart::parse(&form).expect("what was written is read");
    assert_eq!(again.len(), parts.len(), "parts");
    for (again, part) in again.iter().zip(&parts).filter(|(_, part)| part.filename.is_some()) {
        assert_eq!(again.data, part.data, "what a file holds");
    }
}

/// Requests for pictures, sound, transcripts, verdicts and an order, and forms: what is written is read, and objects
/// come back as they were.
pub fn media_parse(data: &[u8]) {
    for operation in Operation::TRANSLATED {
        for named in [false, true] {
            let Ok(look) = openai::peek::media(operation, data, named) else { continue };
            if let Some(at) = look.model_at {
                assert!(data.get(at).is_some(), "where the model stands");
            }
        }
    }
    if let Ok(Request::Image(read)) = openai::image::parse(data) {
        let written = openai::image::emit(&read, "m").expect("what was read can be written");
        let Ok(Request::Image(again)) = openai::image::parse(&written) else { panic!("pictures are not read again") };
        assert_eq!(read, again);
        let _ = gemini::image::emit(&read, "imagen-4", &mut Vec::new());
        let _ = gemini::image::emit(&read, "gemini-3-image", &mut Vec::new());
    }
    if let Ok(Request::Image(read)) = openai::image::parse_edit(data)
        && let Ok(written) = openai::image::emit(&read, "m")
    {
        openai::image::parse_edit(&written).expect("what was written is read");
    }
    if let Ok(Request::Speech(read)) = openai::speech::parse(data) {
        let written = openai::speech::emit(&read, "m").expect("what was read can be written");
        let Ok(Request::Speech(again)) = openai::speech::parse(&written) else { panic!("speech is not read again") };
        assert_eq!(read, again);
    }
    if let Ok(Request::Transcribe(read)) = openai::transcript::parse(data)
        && let Ok(written) = openai::transcript::emit(&read, "m")
    {
        openai::transcript::parse(&written).expect("what was written is read");
    }
    if let Ok(Request::Moderate(read)) = openai::moderation::parse(data) {
        let written = openai::moderation::emit(&read, "m").expect("what was read can be written");
        let Ok(Request::Moderate(again)) = openai::moderation::parse(&written) else { panic!("not read again") };
        assert_eq!(read, again);
    }
    if let Ok(Request::Rerank(read)) = rerank::parse(data) {
        for style in [rerank::Style::Jina, rerank::Style::Cohere, rerank::Style::Voyage] {
            let written = rerank::emit(&read, "m", style, &mut Vec::new()).expect("what was read can be written");
            rerank::parse(&written).expect("what was written is read");
        }
    }
}

/// Answers with pictures, sound, transcripts, verdicts and an order.
pub fn media_answer(data: &[u8]) {
    for operation in Operation::TRANSLATED {
        let _ = openai::decode::glance(operation, data);
    }
    let _ = openai::image::decode_stream(data);
    let _ = openai::transcript::decode_stream(data);
    let _ = gemini::image::decode(data, "imagen-4");
    let _ = gemini::image::decode(data, "gemini-3-image");
    if let Ok(answer) = openai::image::decode(data) {
        let written = openai::image::render(&answer, 1).expect("what was read can be written");
        openai::image::decode(&written).expect("what was written is read");
    }
    for format in [sabir_types::TranscriptFormat::VerboseJson, sabir_types::TranscriptFormat::Text] {
        let Ok(answer) = openai::transcript::decode(data, format) else { continue };
        for wanted in ["json", "verbose_json", "diarized_json", "text", "srt", "vtt"] {
            let wanted = sabir_types::TranscriptFormat::parse(wanted).expect("a format");
            openai::transcript::render(&answer, wanted, false).expect("what was read can be written");
        }
    }
    for events in [false, true] {
        let request = sabir_types::SpeechRequest { events, ..Default::default() };
        let _ = openai::speech::decode(&request, data);
    }
    if let Ok(answer) = openai::moderation::decode(data) {
        let written = openai::moderation::render(&answer, "i", "m").expect("what was read can be written");
        openai::moderation::decode(&written).expect("what was written is read");
    }
    if let Ok(answer) = rerank::decode(None, data) {
        let written = rerank::render(&answer, "i", "m").expect("what was read can be written");
        let again = rerank::decode(None, &written).expect("what was written is read");
        assert_eq!(again.results, answer.results);
    }
}

/// A streamed answer, a whole one, an error: of OpenAI's kind.
pub fn openai_stream(data: &[u8]) {
    let _ = openai::decode::glance(Operation::Chat, data);
    let _ = openai::decode::glance(Operation::Embed, data);
    let _ = openai::embed::decode(data);
    let _ = openai::error::decode(400, data);
    if let Ok(answer) = openai::decode::chat(data) {
        let written = openai::render::chat(&answer, &frame());
        openai::decode::chat(&written).expect("what was written is read");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = openai::decode::glance_event(text);
    }
    same_in_pieces::<Event>(data, &sizes(data), &|data, sizes, _| {
        let (mut stream, mut events) = (openai::decode::ChatStream::new(), Vec::new());
        let mut outcome = pieces(data, sizes).try_for_each(|piece| stream.feed(piece, &mut events));
        if outcome.is_ok() {
            outcome = stream.finish(&mut events);
        }
        said(&events, outcome.is_ok());
        (events, outcome.is_ok())
    });
}

/// A request in Anthropic's words.
pub fn anthropic_parse(data: &[u8]) {
    let Ok(read) = anthropic::parse::chat(data) else { return };
    settles(&read, &|chat| anthropic::emit::chat(chat, "claude-haiku-4-5", &mut Vec::new()), &anthropic::parse::chat);
    elsewhere(&read);
}

/// A streamed answer, a whole one, an error: of Anthropic's kind.
pub fn anthropic_stream(data: &[u8]) {
    let _ = (anthropic::glance::chat(data), anthropic::decode::chat(data), anthropic::error::decode(400, data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (anthropic::glance::event(None, text), anthropic::glance::event(Some("message_delta"), text));
    }
    same_in_pieces::<Event>(data, &sizes(data), &|data, sizes, _| {
        let (mut stream, mut events) = (anthropic::decode::ChatStream::new(), Vec::new());
        let mut outcome = pieces(data, sizes).try_for_each(|piece| stream.feed(piece, &mut events));
        if outcome.is_ok() {
            outcome = stream.finish(&mut events);
        }
        said(&events, outcome.is_ok());
        (events, outcome.is_ok())
    });
}

/// A request in Gemini's words.
pub fn gemini_parse(data: &[u8]) {
    let Ok(read) = gemini_chat(data) else { return };
    let write = |chat: &ChatRequest| gemini::emit::chat(chat, "gemini-2.5-flash", &mut Vec::new());
    if let Ok(written) = write(&read) {
        // A turn that nothing is left of leaves two neighbours of the same role, which the next
        // writing joins: so it is the second time that must be the last.
        let second = again(&written, &write, &gemini_chat);
        let third = again(&second, &write, &gemini_chat);
        same_json(&third, &second);
    }
    elsewhere(&read);
}

/// A streamed answer, a whole one, an error: of Gemini's kind.
pub fn gemini_stream(data: &[u8]) {
    let _ = (gemini::glance::chat(data), gemini::glance::embeddings(data), gemini::decode::chat(data));
    let _ = (gemini::error::decode(400, data), gemini::glance::names_model(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = gemini::glance::event(text);
    }
    same_in_pieces::<Event>(data, &sizes(data), &|data, sizes, _| {
        let (mut stream, mut events) = (gemini::decode::ChatStream::new(), Vec::new());
        let mut outcome = pieces(data, sizes).try_for_each(|piece| stream.feed(piece, &mut events));
        if outcome.is_ok() {
            outcome = stream.finish(&mut events);
        }
        said(&events, outcome.is_ok());
        // An error in bare JSON is known when the JSON is complete: how much of a stream that fails
        // came before it depends on the cut.
        if outcome.is_err() {
            events.clear();
        }
        (events, outcome.is_ok())
    });
}

/// A request in the words of the Responses API.
pub fn responses_parse(data: &[u8]) {
    let _ = openai::peek::response(data);
    let Ok(read) = responses_chat(data) else { return };
    settles(&read, &|chat| responses::emit::chat(chat, "gpt-5", &mut Vec::new()), &responses_chat);
    elsewhere(&read);
}

/// A streamed answer, a whole one: of the Responses API.
pub fn responses_stream(data: &[u8]) {
    let _ = responses::decode::glance(data);
    if let Ok(answer) = responses::decode::chat(data) {
        let written = responses::render::response(&answer, &responses_frame()).to_string();
        responses::decode::chat(written.as_bytes()).expect("what was written is read");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = responses::decode::glance_event(None, text);
        let _ = responses::decode::glance_event(Some("response.completed"), text);
    }
    same_in_pieces::<Event>(data, &sizes(data), &|data, sizes, _| {
        let (mut stream, mut events) = (responses::decode::ChatStream::new(), Vec::new());
        let mut outcome = pieces(data, sizes).try_for_each(|piece| stream.feed(piece, &mut events));
        if outcome.is_ok() {
            outcome = stream.finish(&mut events);
        }
        said(&events, outcome.is_ok());
        (events, outcome.is_ok())
    });
}

/// A request to TensorZero's door.
pub fn tensorzero_parse(data: &[u8]) {
    let Ok(call) = tensorzero::parse::call(data) else { return };
    let _ = tensorzero::stored::input(&call.request);
    let _ = (tensorzero::stored::params(&call.request), tensorzero::stored::tools(&call.request));
    let _ = tensorzero::stored::tool_choice(&call.request);
    elsewhere(&call.request);
}

fn openai_chat(body: &[u8]) -> Result<ChatRequest> {
    match openai::parse::chat(body)? {
        Request::Chat(chat) => Ok(*chat),
        other => panic!("not a chat: {other:?}"),
    }
}

fn responses_chat(body: &[u8]) -> Result<ChatRequest> {
    match responses::parse::chat(body)? {
        Request::Chat(chat) => Ok(*chat),
        other => panic!("not a chat: {other:?}"),
    }
}

fn gemini_chat(body: &[u8]) -> Result<ChatRequest> {
    match gemini::parse::chat(body, "m", false)? {
        Request::Chat(chat) => Ok(*chat),
        other => panic!("not a chat: {other:?}"),
    }
}

type Write<'a> = &'a dyn Fn(&ChatRequest) -> Result<Vec<u8>>;

/// What a protocol writes it reads again, and what it then writes is the same. A request that
/// cannot be written is refused; that is not what is asked here.
fn settles(read: &ChatRequest, write: Write<'_>, parse: &dyn Fn(&[u8]) -> Result<ChatRequest>) {
    let Ok(written) = write(read) else { return };
    same_json(&again(&written, write, parse), &written);
}

/// The order of members does not matter.
fn same_json(one: &[u8], other: &[u8]) {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).expect("what was written is JSON");
    assert_eq!(read(one), read(other));
}

fn again(written: &[u8], write: Write<'_>, parse: &dyn Fn(&[u8]) -> Result<ChatRequest>) -> Vec<u8> {
    match parse(written).and_then(|read| write(&read)) {
        Ok(second) => second,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(written)),
    }
}

/// Every request can be offered to every protocol: it is written or refused.
fn elsewhere(read: &ChatRequest) {
    let _ = openai::emit::chat(read, "gpt-5", &openai::emit::Dialect::OPENAI, &mut Vec::new());
    let _ = responses::emit::chat(read, "gpt-5", &mut Vec::new());
    let _ = anthropic::emit::chat(read, "claude-opus-4-5", &mut Vec::new());
    let _ = gemini::emit::chat(read, "gemini-3-pro", &mut Vec::new());
}

/// Events add up, and every door can say them.
fn said(events: &[Event], whole: bool) {
    let mut all = Accumulator::new();
    events.iter().for_each(|event| all.push(event));
    let answer = all.finish();
    let mut out = Vec::new();
    let mut writer = openai::render::ChunkWriter::new(frame(), true);
    writer.events(events, &mut out);
    writer.end(&answer.usage, &mut out);
    let _ = openai::render::chat(&answer, &frame());
    let (mut stream, mut again) = (openai::decode::ChatStream::new(), Vec::new());
    let outcome = stream.feed(&out, &mut again).and_then(|()| stream.finish(&mut again));
    assert!(outcome.is_ok() || !whole, "a stream was written that is not read: {outcome:?}");

    out.clear();
    let mut writer = responses::render::EventWriter::new(responses_frame());
    writer.events(events, &mut out);
    writer.end(&answer.usage, &mut out);
    let (mut stream, mut again) = (responses::decode::ChatStream::new(), Vec::new());
    let outcome = stream.feed(&out, &mut again).and_then(|()| stream.finish(&mut again));
    assert!(outcome.is_ok() || !whole, "events were written that are not read: {outcome:?}");
}

fn responses_frame() -> responses::render::Frame {
    let (id, model) = ("resp_0".to_owned(), "m".to_owned());
    responses::render::Frame { id, created: 1, model, maker: None, echo: responses::render::echo(&Map::new()) }
}

fn frame() -> openai::render::Frame {
    let (id, model) = ("id".to_owned(), "m".to_owned());
    openai::render::Frame { id, created: 1, model, legacy_functions: false, maker: None, extra: Map::new() }
}

/// However bytes are cut, the same comes out. With a small limit it is the same up to where the
/// limit is over; its exact border may depend on the cut.
fn same_in_pieces<T: PartialEq + std::fmt::Debug>(data: &[u8], sizes: &[usize], read: &InPieces<T>) {
    let whole = read(data, &[], sabir_wire::FRAME_LIMIT);
    assert_eq!(read(data, sizes, sabir_wire::FRAME_LIMIT), whole, "in pieces of {sizes:?}");
    for sizes in [sizes, &[]] {
        let (few, complete) = read(data, sizes, 64);
        assert!(whole.0.starts_with(&few), "with a limit, in pieces of {sizes:?}: {few:?} {whole:?}");
        assert!(!complete || few.len() == whole.0.len(), "lost within the limit, in pieces of {sizes:?}");
    }
}

/// Sizes that the bytes themselves choose, so that a fuzzer can change them.
fn sizes(data: &[u8]) -> Vec<usize> {
    let sum = data.iter().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    vec![sum % 5 + 1, sum / 5 % 17 + 1, sum / 85 % 3 + 1]
}

fn pieces<'a>(data: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let (mut rest, mut turn) = (data, 0);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let size = sizes.get(turn % sizes.len().max(1)).map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        turn += 1;
        let (piece, more) = rest.split_at(size);
        rest = more;
        Some(piece)
    })
}
