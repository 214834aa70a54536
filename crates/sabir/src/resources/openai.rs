//! The resources of OpenAI's protocol that have left beta.
//!
//! Invariant: a row is an endpoint; what a row says is all that there is to know about it.

use sabir_types::Value;

use super::table::resources;
use crate::call::Nothing;
use crate::types::{
    Batch, ChatCompletion, Deleted, FileObject, FineTuningCheckpoint, FineTuningEvent, FineTuningJob, ImageList,
    ModerationList, Response, Transcription, UploadObject, UploadPart, VectorStore, VectorStoreFile,
    VectorStoreFileBatch, VectorStoreMatch,
};

resources! {
    OPENAI

    /// The calls of `audio`.
    Audio "audio" [] {
        > speech: AudioSpeech;
        > transcriptions: AudioTranscriptions;
        > translations: AudioTranslations;
        > voice_consents: AudioVoiceConsents;
        > voices: AudioVoices;
    }

    /// The calls of `audio.speech`.
    AudioSpeech "audio.speech" [] {
        create POST "/audio/speech" () json_binary;
    }

    /// The calls of `audio.transcriptions`.
    AudioTranscriptions "audio.transcriptions" [] {
        create POST "/audio/transcriptions" () form -> Transcription;
        create_stream POST "/audio/transcriptions" () form_events -> Value;
    }

    /// The calls of `audio.translations`.
    AudioTranslations "audio.translations" [] {
        create POST "/audio/translations" () form -> Transcription;
    }

    /// The calls of `audio.voice_consents`.
    AudioVoiceConsents "audio.voice_consents" [] {
        create POST "/audio/voice_consents" () form -> Value;
        delete DELETE "/audio/voice_consents/{}" (consent) none -> Deleted;
        list GET "/audio/voice_consents" () cursor -> Value;
        retrieve GET "/audio/voice_consents/{}" (consent) none -> Value;
        update POST "/audio/voice_consents/{}" (consent) json -> Value;
    }

    /// The calls of `audio.voices`.
    AudioVoices "audio.voices" [] {
        create POST "/audio/voices" () form -> Value;
        delete DELETE "/audio/voices/{}" (voice) none -> Value;
    }

    /// The calls of `batches`.
    Batches "batches" [] {
        cancel POST "/batches/{}/cancel" (batch) none -> Batch;
        create POST "/batches" () json -> Batch;
        list GET "/batches" () cursor -> Batch;
        retrieve GET "/batches/{}" (batch) none -> Batch;
    }

    /// The calls of `chat.completions`.
    Chat "chat.completions" [] {
        > messages: ChatMessages;
        create POST "/chat/completions" () own;
        delete DELETE "/chat/completions/{}" (id) none -> Deleted;
        list GET "/chat/completions" () cursor -> ChatCompletion;
        retrieve GET "/chat/completions/{}" (id) none -> ChatCompletion;
        update POST "/chat/completions/{}" (id) json -> ChatCompletion;
    }

    /// The calls of `chat.completions.messages`.
    ChatMessages "chat.completions.messages" [] {
        list GET "/chat/completions/{}/messages" (id) cursor -> Value;
    }

    /// The calls of `completions`.
    Completions "completions" [] {
        create POST "/completions" () whole -> Value;
        create_stream POST "/completions" () events -> Value;
    }

    /// The calls of `containers`.
    Containers "containers" [] {
        > files: ContainersFiles;
        create POST "/containers" () json -> Value;
        delete DELETE "/containers/{}" (container) none -> Nothing;
        list GET "/containers" () cursor -> Value;
        retrieve GET "/containers/{}" (container) none -> Value;
    }

    /// The calls of `containers.files`.
    ContainersFiles "containers.files" [] {
        > content: ContainersFilesContent;
        create POST "/containers/{}/files" (container) form -> Value;
        delete DELETE "/containers/{}/files/{}" (container, file) none -> Nothing;
        list GET "/containers/{}/files" (container) cursor -> Value;
        retrieve GET "/containers/{}/files/{}" (container, file) none -> Value;
    }

    /// The calls of `containers.files.content`.
    ContainersFilesContent "containers.files.content" [] {
        retrieve GET "/containers/{}/files/{}/content" (container, file) binary;
    }

    /// The calls of `content_provenance_checks`.
    ContentProvenanceChecks "content_provenance_checks" [] {
        create POST "/content_provenance_checks" () form -> Value;
    }

    /// The calls of `conversations`.
    Conversations "conversations" [] {
        > items: ConversationsItems;
        create POST "/conversations" () json -> Value;
        delete DELETE "/conversations/{}" (conversation) none -> Deleted;
        retrieve GET "/conversations/{}" (conversation) none -> Value;
        update POST "/conversations/{}" (conversation) json -> Value;
    }

    /// The calls of `conversations.items`.
    ConversationsItems "conversations.items" [] {
        create POST "/conversations/{}/items" (conversation) json -> Value;
        delete DELETE "/conversations/{}/items/{}" (conversation, item) none -> Deleted;
        list GET "/conversations/{}/items" (conversation) last -> Value;
        retrieve GET "/conversations/{}/items/{}" (conversation, item) none -> Value;
    }

    /// The calls of `decisions`.
    Decisions "decisions" [] {
        create POST "/decisions" () json -> Value;
    }

    /// The calls of `embeddings`.
    Embeddings "embeddings" [] {
        create POST "/embeddings" () own;
    }

    /// The calls of `evals`.
    Evals "evals" [] {
        > runs: EvalsRuns;
        create POST "/evals" () json -> Value;
        delete DELETE "/evals/{}" (eval) none -> Deleted;
        list GET "/evals" () cursor -> Value;
        retrieve GET "/evals/{}" (eval) none -> Value;
        update POST "/evals/{}" (eval) json -> Value;
    }

    /// The calls of `evals.runs`.
    EvalsRuns "evals.runs" [] {
        > output_items: EvalsRunsOutputItems;
        cancel POST "/evals/{}/runs/{}/cancel" (eval, run) none -> Value;
        create POST "/evals/{}/runs" (eval) json -> Value;
        delete DELETE "/evals/{}/runs/{}" (eval, run) none -> Deleted;
        list GET "/evals/{}/runs" (eval) cursor -> Value;
        retrieve GET "/evals/{}/runs/{}" (eval, run) none -> Value;
    }

    /// The calls of `evals.runs.output_items`.
    EvalsRunsOutputItems "evals.runs.output_items" [] {
        list GET "/evals/{}/runs/{}/output_items" (eval, run) cursor -> Value;
        retrieve GET "/evals/{}/runs/{}/output_items/{}" (eval, run, output_item) none -> Value;
    }

    /// The calls of `files`.
    Files "files" [] {
        content GET "/files/{}/content" (file) binary;
        create POST "/files" () form -> FileObject;
        delete DELETE "/files/{}" (file) none -> Deleted;
        list GET "/files" () cursor -> FileObject;
        retrieve GET "/files/{}" (file) none -> FileObject;
    }

    /// The calls of `fine_tuning`.
    FineTuning "fine_tuning" [] {
        > alpha: FineTuningAlpha;
        > checkpoints: FineTuningCheckpoints;
        > jobs: FineTuningJobs;
    }

    /// The calls of `fine_tuning.alpha`.
    FineTuningAlpha "fine_tuning.alpha" [] {
        > graders: FineTuningAlphaGraders;
    }

    /// The calls of `fine_tuning.alpha.graders`.
    FineTuningAlphaGraders "fine_tuning.alpha.graders" [] {
        run POST "/fine_tuning/alpha/graders/run" () json -> Value;
        validate POST "/fine_tuning/alpha/graders/validate" () json -> Value;
    }

    /// The calls of `fine_tuning.checkpoints`.
    FineTuningCheckpoints "fine_tuning.checkpoints" [] {
        > permissions: FineTuningCheckpointsPermissions;
    }

    /// The calls of `fine_tuning.checkpoints.permissions`.
    FineTuningCheckpointsPermissions "fine_tuning.checkpoints.permissions" [] {
        create POST "/fine_tuning/checkpoints/{}/permissions" (checkpoint) json_single -> Value;
        delete DELETE "/fine_tuning/checkpoints/{}/permissions/{}" (checkpoint, permission) none -> Deleted;
        list GET "/fine_tuning/checkpoints/{}/permissions" (checkpoint) last -> Value;
    }

    /// The calls of `fine_tuning.jobs`.
    FineTuningJobs "fine_tuning.jobs" [] {
        > checkpoints: FineTuningJobsCheckpoints;
        cancel POST "/fine_tuning/jobs/{}/cancel" (fine_tuning_job) none -> FineTuningJob;
        create POST "/fine_tuning/jobs" () json -> FineTuningJob;
        list GET "/fine_tuning/jobs" () cursor -> FineTuningJob;
        list_events GET "/fine_tuning/jobs/{}/events" (fine_tuning_job) cursor -> FineTuningEvent;
        retrieve GET "/fine_tuning/jobs/{}" (fine_tuning_job) none -> FineTuningJob;
        pause POST "/fine_tuning/jobs/{}/pause" (fine_tuning_job) none -> FineTuningJob;
        resume POST "/fine_tuning/jobs/{}/resume" (fine_tuning_job) none -> FineTuningJob;
    }

    /// The calls of `fine_tuning.jobs.checkpoints`.
    FineTuningJobsCheckpoints "fine_tuning.jobs.checkpoints" [] {
        list GET "/fine_tuning/jobs/{}/checkpoints" (fine_tuning_job) cursor -> FineTuningCheckpoint;
    }

    /// The calls of `images`.
    Images "images" [] {
        create_variation POST "/images/variations" () form -> ImageList;
        edit POST "/images/edits" () form -> ImageList;
        edit_stream POST "/images/edits" () form_events -> Value;
        generate POST "/images/generations" () whole -> ImageList;
        generate_stream POST "/images/generations" () events -> Value;
    }

    /// The calls of `live`.
    Live "live" [] {
        > forks: LiveForks;
        > sessions: LiveSessions;
        > sideband: LiveSideband;
        create POST "/live/sessions" () json -> Value;
    }

    /// The calls of `live.forks`.
    LiveForks "live.forks" [] {
    }

    /// The calls of `live.sessions`.
    LiveSessions "live.sessions" [] {
        accept POST "/live/sessions/{}/accept" (session) json -> Value;
        download_recording GET "/live/sessions/{}/content" (session) binary;
        fork POST "/live/sessions/{}/fork" (session) json -> Value;
        hangup POST "/live/sessions/{}/hangup" (session) none -> Value;
        refer POST "/live/sessions/{}/refer" (session) json -> Value;
        reject POST "/live/sessions/{}/reject" (session) json -> Value;
    }

    /// The calls of `live.sideband`.
    LiveSideband "live.sideband" [] {
    }

    /// The calls of `models`.
    Models "models" [] {
        delete DELETE "/models/{}" (model) own;
        list GET "/models" () own;
        retrieve GET "/models/{}" (model) own;
    }

    /// The calls of `moderations`.
    Moderations "moderations" [] {
        create POST "/moderations" () json -> ModerationList;
    }

    /// The calls of `realtime`.
    Realtime "realtime" [] {
        > calls: RealtimeCalls;
        > client_secrets: RealtimeClientSecrets;
        > translations: RealtimeTranslations;
    }

    /// The calls of `realtime.calls`.
    RealtimeCalls "realtime.calls" [] {
        accept POST "/realtime/calls/{}/accept" (call) json -> Value;
        create POST "/realtime/calls" () form_binary;
        hangup POST "/realtime/calls/{}/hangup" (call) none -> Value;
        refer POST "/realtime/calls/{}/refer" (call) json -> Value;
        reject POST "/realtime/calls/{}/reject" (call) json -> Value;
    }

    /// The calls of `realtime.client_secrets`.
    RealtimeClientSecrets "realtime.client_secrets" [] {
        create POST "/realtime/client_secrets" () json -> Value;
    }

    /// The calls of `realtime.translations`.
    RealtimeTranslations "realtime.translations" [] {
        > client_secrets: RealtimeTranslationsClientSecrets;
    }

    /// The calls of `realtime.translations.client_secrets`.
    RealtimeTranslationsClientSecrets "realtime.translations.client_secrets" [] {
        create POST "/realtime/translations/client_secrets" () json -> Value;
    }

    /// The calls of `responses`.
    Responses "responses" [] {
        > input_items: ResponsesInputItems;
        > input_tokens: ResponsesInputTokens;
        cancel POST "/responses/{}/cancel" (response) none -> Response;
        compact POST "/responses/compact" () json -> Value;
        create POST "/responses" () own;
        delete DELETE "/responses/{}" (response) none -> Nothing;
        retrieve GET "/responses/{}" (response) none -> Response;
        retrieve_stream GET "/responses/{}" (response) get_events -> Value;
    }

    /// The calls of `responses.input_items`.
    ResponsesInputItems "responses.input_items" [] {
        list GET "/responses/{}/input_items" (response) cursor -> Value;
    }

    /// The calls of `responses.input_tokens`.
    ResponsesInputTokens "responses.input_tokens" [] {
        count POST "/responses/input_tokens" () json -> Value;
    }

    /// The calls of `safety`.
    Safety "safety" [] {
        > alerts: SafetyAlerts;
        > cases: SafetyCases;
    }

    /// The calls of `safety.alerts`.
    SafetyAlerts "safety.alerts" [] {
        retrieve GET "/safety/alerts/{}" (id) none -> Value;
    }

    /// The calls of `safety.cases`.
    SafetyCases "safety.cases" [] {
        retrieve GET "/safety/cases/{}" (id) none -> Value;
    }

    /// The calls of `skills`.
    Skills "skills" [] {
        > content: SkillsContent;
        > versions: SkillsVersions;
        create POST "/skills" () form -> Value;
        delete DELETE "/skills/{}" (skill) none -> Deleted;
        list GET "/skills" () cursor -> Value;
        retrieve GET "/skills/{}" (skill) none -> Value;
        update POST "/skills/{}" (skill) json -> Value;
    }

    /// The calls of `skills.content`.
    SkillsContent "skills.content" [] {
        retrieve GET "/skills/{}/content" (skill) binary;
    }

    /// The calls of `skills.versions`.
    SkillsVersions "skills.versions" [] {
        > content: SkillsVersionsContent;
        create POST "/skills/{}/versions" (skill) form -> Value;
        delete DELETE "/skills/{}/versions/{}" (skill, version) none -> Deleted;
        list GET "/skills/{}/versions" (skill) cursor -> Value;
        retrieve GET "/skills/{}/versions/{}" (skill, version) none -> Value;
    }

    /// The calls of `skills.versions.content`.
    SkillsVersionsContent "skills.versions.content" [] {
        retrieve GET "/skills/{}/versions/{}/content" (skill, version) binary;
    }

    /// The calls of `uploads`.
    Uploads "uploads" [] {
        > parts: UploadsParts;
        cancel POST "/uploads/{}/cancel" (upload) none -> UploadObject;
        complete POST "/uploads/{}/complete" (upload) json -> UploadObject;
        create POST "/uploads" () json -> UploadObject;
    }

    /// The calls of `uploads.parts`.
    UploadsParts "uploads.parts" [] {
        create POST "/uploads/{}/parts" (upload) form -> UploadPart;
    }

    /// The calls of `vector_stores`.
    VectorStores "vector_stores" ["assistants=v2"] {
        > file_batches: VectorStoresFileBatches;
        > files: VectorStoresFiles;
        create POST "/vector_stores" () json -> VectorStore;
        delete DELETE "/vector_stores/{}" (vector_store) none -> Deleted;
        list GET "/vector_stores" () cursor -> VectorStore;
        retrieve GET "/vector_stores/{}" (vector_store) none -> VectorStore;
        update POST "/vector_stores/{}" (vector_store) json -> VectorStore;
        search POST "/vector_stores/{}/search" (vector_store) json_single -> VectorStoreMatch;
    }

    /// The calls of `vector_stores.file_batches`.
    VectorStoresFileBatches "vector_stores.file_batches" ["assistants=v2"] {
        cancel POST "/vector_stores/{}/file_batches/{}/cancel" (vector_store, batch) none -> VectorStoreFileBatch;
        create POST "/vector_stores/{}/file_batches" (vector_store) json -> VectorStoreFileBatch;
        list_files GET "/vector_stores/{}/file_batches/{}/files" (vector_store, batch) cursor -> VectorStoreFile;
        retrieve GET "/vector_stores/{}/file_batches/{}" (vector_store, batch) none -> VectorStoreFileBatch;
    }

    /// The calls of `vector_stores.files`.
    VectorStoresFiles "vector_stores.files" ["assistants=v2"] {
        create POST "/vector_stores/{}/files" (vector_store) json -> VectorStoreFile;
        delete DELETE "/vector_stores/{}/files/{}" (vector_store, file) none -> Deleted;
        list GET "/vector_stores/{}/files" (vector_store) cursor -> VectorStoreFile;
        retrieve GET "/vector_stores/{}/files/{}" (vector_store, file) none -> VectorStoreFile;
        content GET "/vector_stores/{}/files/{}/content" (vector_store, file) single -> Value;
        update POST "/vector_stores/{}/files/{}" (vector_store, file) json -> VectorStoreFile;
    }

    /// The calls of `videos`.
    Videos "videos" [] {
        create POST "/videos" () form -> Value;
        create_character POST "/videos/characters" () form -> Value;
        delete DELETE "/videos/{}" (video) none -> Deleted;
        download_content GET "/videos/{}/content" (video) binary;
        edit POST "/videos/edits" () form -> Value;
        extend POST "/videos/extensions" () form -> Value;
        get_character GET "/videos/characters/{}" (character) none -> Value;
        list GET "/videos" () last -> Value;
        remix POST "/videos/{}/remix" (video) json -> Value;
        retrieve GET "/videos/{}" (video) none -> Value;
    }

    /// The calls of `webhooks`.
    Webhooks "webhooks" [] {
        > event_types: WebhooksEventTypes;
        create POST "/webhook_endpoints" () json -> Value;
        delete DELETE "/webhook_endpoints/{}" (webhook_endpoint) none -> Value;
        list GET "/webhook_endpoints" () cursor -> Value;
        retrieve GET "/webhook_endpoints/{}" (webhook_endpoint) none -> Value;
        rotate_secret POST "/webhook_endpoints/{}/rotate_secret" (webhook_endpoint) none -> Value;
        test POST "/webhook_endpoints/{}/test" (webhook_endpoint) json -> Value;
        update POST "/webhook_endpoints/{}" (webhook_endpoint) json -> Value;
    }

    /// The calls of `webhooks.event_types`.
    WebhooksEventTypes "webhooks.event_types" [] {
        list GET "/webhook_event_types" () none -> Value;
    }
}
