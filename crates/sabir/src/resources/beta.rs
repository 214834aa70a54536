//! The resources of OpenAI's protocol that are in beta.
//!
//! Invariant: a row is an endpoint; what a row says is all that there is to know about it.

use sabir_types::Value;

use super::table::resources;
use crate::call::Nothing;
use crate::types::Deleted;

resources! {
    BETA

    /// The calls of `beta`.
    Beta "beta" [] {
        > agents: BetaAgents;
        > assistants: BetaAssistants;
        > chatkit: BetaChatkit;
        > realtime: BetaRealtime;
        > responses: BetaResponses;
        > threads: BetaThreads;
    }

    /// The calls of `beta.agents`.
    BetaAgents "beta.agents" ["agents=v1"] {
        > automations: BetaAgentsAutomations;
        > environments: BetaAgentsEnvironments;
        > sessions: BetaAgentsSessions;
        > vaults: BetaAgentsVaults;
        create POST "/agents" () json -> Value;
        delete DELETE "/agents/{}" (agent) none -> Value;
        list GET "/agents" () cursor -> Value;
        retrieve GET "/agents/{}" (agent) none -> Value;
        update POST "/agents/{}" (agent) json -> Value;
    }

    /// The calls of `beta.agents.automations`.
    BetaAgentsAutomations "beta.agents.automations" ["agents=v1"] {
        > invocations: BetaAgentsAutomationsInvocations;
        create POST "/agents/automations" () json -> Value;
        delete DELETE "/agents/automations/{}" (automation) none -> Value;
        list GET "/agents/automations" () cursor -> Value;
        pause POST "/agents/automations/{}/pause" (automation) none -> Value;
        resume POST "/agents/automations/{}/resume" (automation) none -> Value;
        retrieve GET "/agents/automations/{}" (automation) none -> Value;
        update POST "/agents/automations/{}" (automation) json -> Value;
    }

    /// The calls of `beta.agents.automations.invocations`.
    BetaAgentsAutomationsInvocations "beta.agents.automations.invocations" ["agents=v1"] {
        create POST "/agents/automations/{}/invocations" (automation) json -> Value;
        list GET "/agents/automations/{}/invocations" (automation) cursor -> Value;
        retrieve GET "/agents/automations/{}/invocations/{}" (automation, invocation) none -> Value;
    }

    /// The calls of `beta.agents.environments`.
    BetaAgentsEnvironments "beta.agents.environments" ["agents=v1"] {
        > files: BetaAgentsEnvironmentsFiles;
        > templates: BetaAgentsEnvironmentsTemplates;
        create POST "/agents/environments" () json -> Value;
        list GET "/agents/environments" () cursor -> Value;
        retrieve GET "/agents/environments/{}" (environment) none -> Value;
    }

    /// The calls of `beta.agents.environments.files`.
    BetaAgentsEnvironmentsFiles "beta.agents.environments.files" ["agents=v1"] {
        create POST "/agents/environments/{}/files" (environment) json -> Value;
        list GET "/agents/environments/{}/files" (environment) token -> Value;
    }

    /// The calls of `beta.agents.environments.templates`.
    BetaAgentsEnvironmentsTemplates "beta.agents.environments.templates" ["agents=v1"] {
        create POST "/agents/environments/templates" () json -> Value;
        delete DELETE "/agents/environments/templates/{}" (environment_template) none -> Value;
        list GET "/agents/environments/templates" () cursor -> Value;
        retrieve GET "/agents/environments/templates/{}" (environment_template) none -> Value;
        update POST "/agents/environments/templates/{}" (environment_template) json -> Value;
    }

    /// The calls of `beta.agents.sessions`.
    BetaAgentsSessions "beta.agents.sessions" ["agents=v1"] {
        > artifacts: BetaAgentsSessionsArtifacts;
        > events: BetaAgentsSessionsEvents;
        > items: BetaAgentsSessionsItems;
        > subagents: BetaAgentsSessionsSubagents;
        > traces: BetaAgentsSessionsTraces;
        > turns: BetaAgentsSessionsTurns;
        create POST "/agents/sessions" () whole -> Value;
        create_stream POST "/agents/sessions" () events -> Value;
        delete DELETE "/agents/sessions/{}" (session) none -> Value;
        list GET "/agents/sessions" () cursor -> Value;
        retrieve GET "/agents/sessions/{}" (session) none -> Value;
        update POST "/agents/sessions/{}" (session) json -> Value;
    }

    /// The calls of `beta.agents.sessions.artifacts`.
    BetaAgentsSessionsArtifacts "beta.agents.sessions.artifacts" ["agents=v1"] {
        content GET "/agents/sessions/{}/artifacts/{}/content" (session, artifact) binary;
        delete DELETE "/agents/sessions/{}/artifacts/{}" (session, artifact) none -> Value;
        list GET "/agents/sessions/{}/artifacts" (session) cursor -> Value;
        retrieve GET "/agents/sessions/{}/artifacts/{}" (session, artifact) none -> Value;
    }

    /// The calls of `beta.agents.sessions.events`.
    BetaAgentsSessionsEvents "beta.agents.sessions.events" ["agents=v1"] {
        create POST "/agents/sessions/{}/events" (session) json -> Value;
        stream GET "/agents/sessions/{}/events" (session) get_events -> Value;
    }

    /// The calls of `beta.agents.sessions.items`.
    BetaAgentsSessionsItems "beta.agents.sessions.items" ["agents=v1"] {
        list GET "/agents/sessions/{}/items" (session) cursor -> Value;
    }

    /// The calls of `beta.agents.sessions.subagents`.
    BetaAgentsSessionsSubagents "beta.agents.sessions.subagents" ["agents=v1"] {
        > items: BetaAgentsSessionsSubagentsItems;
        > turns: BetaAgentsSessionsSubagentsTurns;
        list GET "/agents/sessions/{}/subagents" (session) cursor -> Value;
        retrieve GET "/agents/sessions/{}/subagents/{}" (session, subagent) none -> Value;
    }

    /// The calls of `beta.agents.sessions.subagents.items`.
    BetaAgentsSessionsSubagentsItems "beta.agents.sessions.subagents.items" ["agents=v1"] {
        list GET "/agents/sessions/{}/subagents/{}/items" (session, subagent) cursor -> Value;
    }

    /// The calls of `beta.agents.sessions.subagents.turns`.
    BetaAgentsSessionsSubagentsTurns "beta.agents.sessions.subagents.turns" ["agents=v1"] {
        > items: BetaAgentsSessionsSubagentsTurnsItems;
        list GET "/agents/sessions/{}/subagents/{}/turns" (session, subagent) cursor -> Value;
        retrieve GET "/agents/sessions/{}/subagents/{}/turns/{}" (session, subagent, turn) none -> Value;
    }

    /// The calls of `beta.agents.sessions.subagents.turns.items`.
    BetaAgentsSessionsSubagentsTurnsItems "beta.agents.sessions.subagents.turns.items" ["agents=v1"] {
        list GET "/agents/sessions/{}/subagents/{}/turns/{}/items" (session, subagent, turn) cursor -> Value;
    }

    /// The calls of `beta.agents.sessions.traces`.
    BetaAgentsSessionsTraces "beta.agents.sessions.traces" ["agents=v1"] {
        list GET "/agents/sessions/{}/traces" (session) cursor -> Value;
    }

    /// The calls of `beta.agents.sessions.turns`.
    BetaAgentsSessionsTurns "beta.agents.sessions.turns" ["agents=v1"] {
        > items: BetaAgentsSessionsTurnsItems;
        list GET "/agents/sessions/{}/turns" (session) cursor -> Value;
        retrieve GET "/agents/sessions/{}/turns/{}" (session, turn) none -> Value;
    }

    /// The calls of `beta.agents.sessions.turns.items`.
    BetaAgentsSessionsTurnsItems "beta.agents.sessions.turns.items" ["agents=v1"] {
        list GET "/agents/sessions/{}/turns/{}/items" (session, turn) last -> Value;
    }

    /// The calls of `beta.agents.vaults`.
    BetaAgentsVaults "beta.agents.vaults" ["agents=v1"] {
        > credentials: BetaAgentsVaultsCredentials;
        create POST "/vaults" () json -> Value;
        delete DELETE "/vaults/{}" (vault) none -> Value;
        list GET "/vaults" () cursor -> Value;
        retrieve GET "/vaults/{}" (vault) none -> Value;
        update POST "/vaults/{}" (vault) json -> Value;
    }

    /// The calls of `beta.agents.vaults.credentials`.
    BetaAgentsVaultsCredentials "beta.agents.vaults.credentials" ["agents=v1"] {
        create POST "/vaults/{}/credentials" (vault) json -> Value;
        delete DELETE "/vaults/{}/credentials/{}" (vault, credential) none -> Value;
        list GET "/vaults/{}/credentials" (vault) cursor -> Value;
        retrieve GET "/vaults/{}/credentials/{}" (vault, credential) none -> Value;
        update POST "/vaults/{}/credentials/{}" (vault, credential) json -> Value;
    }

    /// The calls of `beta.assistants`.
    BetaAssistants "beta.assistants" ["assistants=v2"] {
        create POST "/assistants" () json -> Value;
        delete DELETE "/assistants/{}" (assistant) none -> Deleted;
        list GET "/assistants" () cursor -> Value;
        retrieve GET "/assistants/{}" (assistant) none -> Value;
        update POST "/assistants/{}" (assistant) json -> Value;
    }

    /// The calls of `beta.chatkit`.
    BetaChatkit "beta.chatkit" ["chatkit_beta=v1"] {
        > sessions: BetaChatkitSessions;
        > threads: BetaChatkitThreads;
    }

    /// The calls of `beta.chatkit.sessions`.
    BetaChatkitSessions "beta.chatkit.sessions" ["chatkit_beta=v1"] {
        cancel POST "/chatkit/sessions/{}/cancel" (session) none -> Value;
        create POST "/chatkit/sessions" () json -> Value;
    }

    /// The calls of `beta.chatkit.threads`.
    BetaChatkitThreads "beta.chatkit.threads" ["chatkit_beta=v1"] {
        delete DELETE "/chatkit/threads/{}" (thread) none -> Deleted;
        list GET "/chatkit/threads" () last -> Value;
        list_items GET "/chatkit/threads/{}/items" (thread) last -> Value;
        retrieve GET "/chatkit/threads/{}" (thread) none -> Value;
    }

    /// The calls of `beta.realtime`.
    BetaRealtime "beta.realtime" [] {
        > sessions: BetaRealtimeSessions;
        > transcription_sessions: BetaRealtimeTranscriptionSessions;
    }

    /// The calls of `beta.realtime.sessions`.
    BetaRealtimeSessions "beta.realtime.sessions" ["assistants=v2"] {
        create POST "/realtime/sessions" () json -> Value;
    }

    /// The calls of `beta.realtime.transcription_sessions`.
    BetaRealtimeTranscriptionSessions "beta.realtime.transcription_sessions" ["assistants=v2"] {
        create POST "/realtime/transcription_sessions" () json -> Value;
    }

    /// The calls of `beta.responses`.
    BetaResponses "beta.responses" [] {
        > input_items: BetaResponsesInputItems;
        > input_tokens: BetaResponsesInputTokens;
        cancel POST "/responses/{}/cancel?beta=true" (response) none -> Value;
        compact POST "/responses/compact?beta=true" () json -> Value;
        create POST "/responses?beta=true" () whole -> Value;
        create_stream POST "/responses?beta=true" () events -> Value;
        delete DELETE "/responses/{}?beta=true" (response) none -> Nothing;
        retrieve GET "/responses/{}?beta=true" (response) none -> Value;
        retrieve_stream GET "/responses/{}?beta=true" (response) get_events -> Value;
    }

    /// The calls of `beta.responses.input_items`.
    BetaResponsesInputItems "beta.responses.input_items" [] {
        list GET "/responses/{}/input_items?beta=true" (response) cursor -> Value;
    }

    /// The calls of `beta.responses.input_tokens`.
    BetaResponsesInputTokens "beta.responses.input_tokens" [] {
        count POST "/responses/input_tokens?beta=true" () json -> Value;
    }

    /// The calls of `beta.threads`.
    BetaThreads "beta.threads" ["assistants=v2"] {
        > messages: BetaThreadsMessages;
        > runs: BetaThreadsRuns;
        create POST "/threads" () json -> Value;
        create_and_run POST "/threads/runs" () whole -> Value;
        create_and_run_stream POST "/threads/runs" () events -> Value;
        delete DELETE "/threads/{}" (thread) none -> Deleted;
        retrieve GET "/threads/{}" (thread) none -> Value;
        update POST "/threads/{}" (thread) json -> Value;
    }

    /// The calls of `beta.threads.messages`.
    BetaThreadsMessages "beta.threads.messages" ["assistants=v2"] {
        create POST "/threads/{}/messages" (thread) json -> Value;
        delete DELETE "/threads/{}/messages/{}" (thread, message) none -> Deleted;
        list GET "/threads/{}/messages" (thread) cursor -> Value;
        retrieve GET "/threads/{}/messages/{}" (thread, message) none -> Value;
        update POST "/threads/{}/messages/{}" (thread, message) json -> Value;
    }

    /// The calls of `beta.threads.runs`.
    BetaThreadsRuns "beta.threads.runs" ["assistants=v2"] {
        > steps: BetaThreadsRunsSteps;
        cancel POST "/threads/{}/runs/{}/cancel" (thread, run) none -> Value;
        create POST "/threads/{}/runs" (thread) whole -> Value;
        create_stream POST "/threads/{}/runs" (thread) events -> Value;
        list GET "/threads/{}/runs" (thread) cursor -> Value;
        retrieve GET "/threads/{}/runs/{}" (thread, run) none -> Value;
        submit_tool_outputs POST "/threads/{}/runs/{}/submit_tool_outputs" (thread, run) whole -> Value;
        submit_tool_outputs_stream POST "/threads/{}/runs/{}/submit_tool_outputs" (thread, run) events -> Value;
        update POST "/threads/{}/runs/{}" (thread, run) json -> Value;
    }

    /// The calls of `beta.threads.runs.steps`.
    BetaThreadsRunsSteps "beta.threads.runs.steps" ["assistants=v2"] {
        list GET "/threads/{}/runs/{}/steps" (thread, run) cursor -> Value;
        retrieve GET "/threads/{}/runs/{}/steps/{}" (thread, run, step) none -> Value;
    }
}
