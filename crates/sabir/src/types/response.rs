//! Answers of the Responses API.

use sabir_types::Value;

use super::loose::records;

records! {
    /// An answer.
    Response {
        /// Its id.
        id: String,
        /// Always `response`.
        object: String,
        /// When it was made, in seconds since 1970.
        created_at: f64,
        /// How far it is: `completed`, `failed`, `in_progress`, `cancelled`, `queued`, `incomplete`.
        status: Option<String>,
        /// The model that answers.
        model: String,
        /// What it says and does.
        output: Vec<OutputItem>,
        /// Why it failed.
        error: Option<Value>,
        /// Why it is not whole.
        incomplete_details: Option<Value>,
        /// The answer before it.
        previous_response_id: Option<String>,
        /// The tokens that it took.
        usage: Option<ResponseUsage>,
        /// The caller's own notes.
        metadata: Option<Value>,
    }

    /// Something that a model says or does.
    OutputItem {
        /// What it is: `message`, `function_call`, `reasoning` and many others.
        kind = "type": String,
        /// Its id.
        id: Option<String>,
        /// How far it is.
        status: Option<String>,
        /// Who says it.
        role: Option<String>,
        /// What it says.
        content: Option<Vec<OutputPart>>,
        /// The function that it calls.
        name: Option<String>,
        /// The function's arguments: JSON, if the model made no mistake.
        arguments: Option<String>,
        /// The id of the call.
        call_id: Option<String>,
    }

    /// A part of what a model says.
    OutputPart {
        /// What it is: `output_text`, `refusal`.
        kind = "type": String,
        /// The text.
        text: Option<String>,
        /// Why the model does not answer.
        refusal: Option<String>,
        /// Where it has that from.
        annotations: Option<Vec<Value>>,
    }

    /// The tokens that an answer took.
    ResponseUsage {
        /// What was asked.
        input_tokens: i64,
        /// What was answered.
        output_tokens: i64,
        /// Both.
        total_tokens: i64,
        /// What the asked ones are.
        input_tokens_details: Option<Value>,
        /// What the answered ones are.
        output_tokens_details: Option<Value>,
    }
}

impl Response {
    /// All that it says.
    pub fn text(&self) -> String {
        self.parts().filter(|part| part.kind == "output_text").filter_map(|part| part.text.as_deref()).collect()
    }

    /// Why the model does not answer, if it says so.
    pub fn refusal(&self) -> Option<&str> {
        self.parts().find_map(|part| part.refusal.as_deref())
    }

    /// The functions that it calls.
    pub fn function_calls(&self) -> impl Iterator<Item = &OutputItem> {
        self.output.iter().filter(|item| item.kind == "function_call")
    }

    fn parts(&self) -> impl Iterator<Item = &OutputPart> {
        self.output.iter().filter(|item| item.kind == "message").flat_map(|item| item.content.iter().flatten())
    }
}
