//! Tests of forms. Invariant: what one side writes the other side reads, whatever is in it.

use proptest::prelude::*;

use super::*;

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n\
    content-disposition: form-data; name=\"file\"; filename=\"a\\\"b.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\
    \r\n--bx\0\r\n--b--\r\n";

#[test]
fn a_form_is_read() {
    let parts = parse(FORM.as_bytes()).unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!((&*parts[0].name, parts[0].text().unwrap(), &parts[0].filename), ("model", "whisper-1", &None));
    assert_eq!(&FORM[parts[0].at.clone()], "whisper-1");
    assert_eq!((parts[1].filename.as_deref(), parts[1].mime), (Some("a\"b.mp3"), Some("audio/mpeg")));
    assert_eq!(parts[1].data, b"\r\n--bx\0", "a line that begins as the boundary does is none");
}

#[test]
fn names_are_read_as_clients_write_them() {
    let name = |disposition: &str| {
        let form = format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n\r\n--b--");
        let parts = parse(form.as_bytes()).unwrap();
        assert_eq!(parts[0].data, b"");
        (parts[0].name.to_string(), parts[0].filename.as_deref().unwrap_or_default().to_owned())
    };
    assert_eq!(name("name=file; filename=x.mp3"), ("file".into(), "x.mp3".into()));
    assert_eq!(name("name=\"a%22b\""), ("a\"b".into(), String::new()));
    assert_eq!(name("name=\"f\"; filename=\"x\"; filename*=UTF-8''na%C3%AFve"), ("f".into(), "naïve".into()));
    assert_eq!(name("name=\"f\"; filename=\"C:\\x;y\""), ("f".into(), "C:\\x;y".into()));
}

#[test]
fn a_broken_form_is_refused_by_what_is_wrong() {
    for (form, wanted) in [
        ("", "begin with its boundary"),
        ("--\r\n", "begin with its boundary"),
        ("--b\r\n", "headers do not end"),
        ("--b\r\n\r\n\r\n--b--", "without a name"),
        ("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx", "middle of a part"),
        ("--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--", "no closing quote"),
        ("--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--", "no `form-data`"),
        ("--b\r\nnonsense\r\n\r\nx\r\n--b--", "no colon"),
    ] {
        let error = parse(form.as_bytes()).unwrap_err();
        assert!(error.message().contains(wanted), "{form:?}: {error}");
    }
}

#[test]
fn the_content_type_follows_from_the_form() {
    assert_eq!(content_type(FORM.as_bytes()).as_deref(), Some("multipart/form-data; boundary=b"));
    assert_eq!(content_type(b"--a b\r\n").as_deref(), Some("multipart/form-data; boundary=\"a b\""));
    assert_eq!(content_type(b"{\"a\":1}"), None);
    assert_eq!(named_boundary("Multipart/Form-Data; charset=x; boundary=\"b\"").as_deref(), Some("b"));
    assert_eq!(named_boundary("application/json"), None);
    assert_eq!(begin(b"preamble\r\n--b\r\n", "b"), Some(10));
    assert_eq!(begin(b"--b", "b"), Some(0));
}

#[test]
fn a_text_is_added_in_front() {
    let mut form = prefix(FORM.as_bytes(), "model", "m").unwrap();
    form.extend_from_slice(FORM.as_bytes());
    let parts = parse(&form).unwrap();
    assert_eq!((parts.len(), parts[0].data), (3, b"m".as_slice()));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        parts in prop::collection::vec(("[a-z\"\\[\\]]{1,9}", prop::collection::vec(any::<u8>(), 0..90)), 1..5),
        filename in "[^\0-\x1f\\\\%]{0,12}",
    ) {
        let mut writer = Writer::new();
        for (name, data) in &parts {
            writer.file(name, &filename, "audio/mpeg", data.as_slice());
        }
        writer.text("last", "sabir-form-00000000");
        let form = writer.finish();
        let read = parse(&form).unwrap();
        prop_assert_eq!(read.len(), parts.len() + 1);
        for (part, (name, data)) in read.iter().zip(&parts) {
            prop_assert_eq!(&*part.name, name.as_str());
            prop_assert_eq!(part.filename.as_deref(), Some(filename.as_str()));
            prop_assert_eq!(part.data, data.as_slice());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..400usize) {
        let mut form = b"--b\r\n".to_vec();
        form.extend(&bytes);
        drop(parse(&form));
        drop(parse(&FORM.as_bytes()[..cut.min(FORM.len())]));
    }
}
