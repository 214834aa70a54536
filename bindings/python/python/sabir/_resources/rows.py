"""The calls of OpenAI's API, one a line: name, method, path, what is answered, and what is special.

A line in brackets begins a resource; `beta=` is the value of the header `OpenAI-Beta` for all of it.
What is answered is the name of an object, `none`, `binary`, `str`, or the kind of a page and what its
items are. What is special:

- `stream=`: it can be streamed, and what the pieces are;
- `files=`: it is sent as a form, and these members are files;
- `loose`: without files it is sent as JSON;
- `accept=`, `beta=`: headers;
- `query=`: these arguments go into the query though there is a body;
- `needs=`: arguments that have to be there;
- `idempotent`: it takes an `idempotency_key`;
- `bare`: it has no body, unless the caller gives it one;
- `admin`: it wants the key for administrators.
"""

ROWS = """\
[audio.speech]
create POST /audio/speech binary accept=application/octet-stream needs=input,model,voice
[audio.transcriptions]
create POST /audio/transcriptions Transcription stream=TranscriptionStreamEvent files=file needs=file,model
[audio.translations]
create POST /audio/translations Transcription files=file needs=file,model
[audio.voice_consents]
create POST /audio/voice_consents VoiceConsent files=recording needs=language,name,recording
retrieve GET /audio/voice_consents/{consent_id} VoiceConsent
update POST /audio/voice_consents/{consent_id} VoiceConsent needs=name
list GET /audio/voice_consents cursor:VoiceConsent
delete DELETE /audio/voice_consents/{consent_id} VoiceConsentDeleted
[audio.voices]
create POST /audio/voices Voice files=audio_sample needs=name
delete DELETE /audio/voices/{voice_id} VoiceDeleted
[batches]
create POST /batches Batch needs=completion_window,endpoint,input_file_id
retrieve GET /batches/{batch_id} Batch
list GET /batches cursor:Batch
cancel POST /batches/{batch_id}/cancel Batch bare
[beta.agents] beta=agents=v1
create POST /agents Agent needs=model
retrieve GET /agents/{agent_id} Agent
update POST /agents/{agent_id} Agent
list GET /agents cursor:Agent
delete DELETE /agents/{agent_id} AgentDeleted
[beta.agents.automations] beta=agents=v1
create POST /agents/automations Automation needs=name,target,type
retrieve GET /agents/automations/{automation_id} Automation
update POST /agents/automations/{automation_id} Automation
list GET /agents/automations cursor:Automation
delete DELETE /agents/automations/{automation_id} AutomationDeleted
pause POST /agents/automations/{automation_id}/pause Automation bare
resume POST /agents/automations/{automation_id}/resume Automation bare
[beta.agents.automations.invocations] beta=agents=v1
create POST /agents/automations/{automation_id}/invocations AutomationInvocation bare
retrieve GET /agents/automations/{automation_id}/invocations/{invocation_id} AutomationInvocation
list GET /agents/automations/{automation_id}/invocations cursor:AutomationInvocation
[beta.agents.environments] beta=agents=v1
create POST /agents/environments EnvironmentInfo idempotent needs=environment
retrieve GET /agents/environments/{environment_id} EnvironmentInfo
list GET /agents/environments cursor:EnvironmentInfo
[beta.agents.environments.files] beta=agents=v1
create POST /agents/environments/{environment_id}/files EnvironmentFile needs=path,type
list GET /agents/environments/{environment_id}/files token:EnvironmentFile
[beta.agents.environments.templates] beta=agents=v1
create POST /agents/environments/templates EnvironmentTemplate
retrieve GET /agents/environments/templates/{environment_template_id} EnvironmentTemplate
update POST /agents/environments/templates/{environment_template_id} EnvironmentTemplate
list GET /agents/environments/templates cursor:EnvironmentTemplate
delete DELETE /agents/environments/templates/{environment_template_id} EnvironmentTemplateDeleted
[beta.agents.sessions] beta=agents=v1
create POST /agents/sessions AgentSession stream=AgentSessionEvent needs=environment
retrieve GET /agents/sessions/{session_id} AgentSession
update POST /agents/sessions/{session_id} AgentSession
list GET /agents/sessions cursor:AgentSession
delete DELETE /agents/sessions/{session_id} AgentSessionDeleted
[beta.agents.sessions.artifacts] beta=agents=v1
retrieve GET /agents/sessions/{session_id}/artifacts/{artifact_id} SessionArtifact
list GET /agents/sessions/{session_id}/artifacts cursor:SessionArtifact
delete DELETE /agents/sessions/{session_id}/artifacts/{artifact_id} SessionArtifactDeleted
content GET /agents/sessions/{session_id}/artifacts/{artifact_id}/content binary accept=application/octet-stream
[beta.agents.sessions.events] beta=agents=v1
create POST /agents/sessions/{session_id}/events none accept=*/* idempotent needs=events
stream GET /agents/sessions/{session_id}/events AgentSessionEvent stream=AgentSessionEvent accept=text/event-stream
[beta.agents.sessions.items] beta=agents=v1
list GET /agents/sessions/{session_id}/items cursor:AgentSessionItem
[beta.agents.sessions.subagents] beta=agents=v1
retrieve GET /agents/sessions/{session_id}/subagents/{subagent_id} Subagent
list GET /agents/sessions/{session_id}/subagents cursor:Subagent
[beta.agents.sessions.subagents.items] beta=agents=v1
list GET /agents/sessions/{session_id}/subagents/{subagent_id}/items cursor:AgentSessionItem
[beta.agents.sessions.subagents.turns] beta=agents=v1
retrieve GET /agents/sessions/{session_id}/subagents/{subagent_id}/turns/{turn_id} Turn
list GET /agents/sessions/{session_id}/subagents/{subagent_id}/turns cursor:Turn
[beta.agents.sessions.subagents.turns.items] beta=agents=v1
list GET /agents/sessions/{session_id}/subagents/{subagent_id}/turns/{turn_id}/items cursor:AgentSessionItem
[beta.agents.sessions.traces] beta=agents=v1
list GET /agents/sessions/{session_id}/traces cursor:SessionTrace
[beta.agents.sessions.turns] beta=agents=v1
retrieve GET /agents/sessions/{session_id}/turns/{turn_id} Turn
list GET /agents/sessions/{session_id}/turns cursor:Turn
[beta.agents.sessions.turns.items] beta=agents=v1
list GET /agents/sessions/{session_id}/turns/{turn_id}/items conversation:AgentSessionItem
[beta.agents.vaults] beta=agents=v1
create POST /vaults Vault
retrieve GET /vaults/{vault_id} Vault
update POST /vaults/{vault_id} Vault
list GET /vaults cursor:Vault
delete DELETE /vaults/{vault_id} VaultDeleted
[beta.agents.vaults.credentials] beta=agents=v1
create POST /vaults/{vault_id}/credentials Credential needs=auth,name
retrieve GET /vaults/{vault_id}/credentials/{credential_id} Credential
update POST /vaults/{vault_id}/credentials/{credential_id} Credential
list GET /vaults/{vault_id}/credentials cursor:Credential
delete DELETE /vaults/{vault_id}/credentials/{credential_id} CredentialDeleted
[beta.assistants] beta=assistants=v2
create POST /assistants Assistant needs=model
retrieve GET /assistants/{assistant_id} Assistant
update POST /assistants/{assistant_id} Assistant
list GET /assistants cursor:Assistant
delete DELETE /assistants/{assistant_id} AssistantDeleted
[beta.chatkit.sessions] beta=chatkit_beta=v1
create POST /chatkit/sessions ChatSession needs=user,workflow
cancel POST /chatkit/sessions/{session_id}/cancel ChatSession bare
[beta.chatkit.threads] beta=chatkit_beta=v1
retrieve GET /chatkit/threads/{thread_id} ChatKitThread
list GET /chatkit/threads conversation:ChatKitThread
delete DELETE /chatkit/threads/{thread_id} ThreadDeleteResponse
list_items GET /chatkit/threads/{thread_id}/items conversation:Data
[beta.realtime.sessions] beta=assistants=v2
create POST /realtime/sessions SessionCreateResponse
[beta.realtime.transcription_sessions] beta=assistants=v2
create POST /realtime/transcription_sessions TranscriptionSession
[beta.responses]
create POST /responses?beta=true BetaResponse stream=BetaResponseStreamEvent
retrieve GET /responses/{response_id}?beta=true BetaResponse stream=BetaResponseStreamEvent
delete DELETE /responses/{response_id}?beta=true none accept=*/*
cancel POST /responses/{response_id}/cancel?beta=true BetaResponse bare
compact POST /responses/compact?beta=true BetaCompactedResponse needs=model
[beta.responses.input_items]
list GET /responses/{response_id}/input_items?beta=true cursor:BetaResponseItem
[beta.responses.input_tokens]
count POST /responses/input_tokens?beta=true InputTokenCountResponse
[beta.threads] beta=assistants=v2
create POST /threads Thread
retrieve GET /threads/{thread_id} Thread
update POST /threads/{thread_id} Thread
delete DELETE /threads/{thread_id} ThreadDeleted
create_and_run POST /threads/runs Run stream=AssistantStreamEvent needs=assistant_id
[beta.threads.messages] beta=assistants=v2
create POST /threads/{thread_id}/messages Message needs=content,role
retrieve GET /threads/{thread_id}/messages/{message_id} Message
update POST /threads/{thread_id}/messages/{message_id} Message
list GET /threads/{thread_id}/messages cursor:Message
delete DELETE /threads/{thread_id}/messages/{message_id} MessageDeleted
[beta.threads.runs] beta=assistants=v2
create POST /threads/{thread_id}/runs Run stream=AssistantStreamEvent query=include needs=assistant_id
retrieve GET /threads/{thread_id}/runs/{run_id} Run
update POST /threads/{thread_id}/runs/{run_id} Run
list GET /threads/{thread_id}/runs cursor:Run
cancel POST /threads/{thread_id}/runs/{run_id}/cancel Run bare
submit_tool_outputs POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs Run stream=AssistantStreamEvent needs=tool_outputs
[beta.threads.runs.steps] beta=assistants=v2
retrieve GET /threads/{thread_id}/runs/{run_id}/steps/{step_id} RunStep
list GET /threads/{thread_id}/runs/{run_id}/steps cursor:RunStep
[chat.completions]
create POST /chat/completions ChatCompletion stream=ChatCompletionChunk needs=messages,model
retrieve GET /chat/completions/{completion_id} ChatCompletion
update POST /chat/completions/{completion_id} ChatCompletion needs=metadata
list GET /chat/completions cursor:ChatCompletion
delete DELETE /chat/completions/{completion_id} ChatCompletionDeleted
[chat.completions.messages]
list GET /chat/completions/{completion_id}/messages cursor:ChatCompletionStoreMessage
[completions]
create POST /completions Completion stream=Completion needs=model,prompt
[containers]
create POST /containers ContainerCreateResponse needs=name
retrieve GET /containers/{container_id} ContainerRetrieveResponse
list GET /containers cursor:ContainerListResponse
delete DELETE /containers/{container_id} none accept=*/*
[containers.files]
create POST /containers/{container_id}/files FileCreateResponse files=file loose
retrieve GET /containers/{container_id}/files/{file_id} FileRetrieveResponse
list GET /containers/{container_id}/files cursor:FileListResponse
delete DELETE /containers/{container_id}/files/{file_id} none accept=*/*
[containers.files.content]
retrieve GET /containers/{container_id}/files/{file_id}/content binary accept=application/binary
[content_provenance_checks]
create POST /content_provenance_checks ContentProvenanceCheck files=file needs=file
[conversations]
create POST /conversations Conversation
retrieve GET /conversations/{conversation_id} Conversation
update POST /conversations/{conversation_id} Conversation needs=metadata
delete DELETE /conversations/{conversation_id} ConversationDeletedResource
[conversations.items]
create POST /conversations/{conversation_id}/items ConversationItemList query=include needs=items
retrieve GET /conversations/{conversation_id}/items/{item_id} ConversationItem
list GET /conversations/{conversation_id}/items conversation:ConversationItem
delete DELETE /conversations/{conversation_id}/items/{item_id} Conversation
[decisions]
create POST /decisions Decision needs=input,model,questions
[embeddings]
create POST /embeddings CreateEmbeddingResponse needs=input,model
[evals]
create POST /evals EvalCreateResponse needs=data_source_config,testing_criteria
retrieve GET /evals/{eval_id} EvalRetrieveResponse
update POST /evals/{eval_id} EvalUpdateResponse
list GET /evals cursor:EvalListResponse
delete DELETE /evals/{eval_id} EvalDeleteResponse
[evals.runs]
create POST /evals/{eval_id}/runs RunCreateResponse needs=data_source
retrieve GET /evals/{eval_id}/runs/{run_id} RunRetrieveResponse
list GET /evals/{eval_id}/runs cursor:RunListResponse
delete DELETE /evals/{eval_id}/runs/{run_id} RunDeleteResponse
cancel POST /evals/{eval_id}/runs/{run_id}/cancel RunCancelResponse bare
[evals.runs.output_items]
retrieve GET /evals/{eval_id}/runs/{run_id}/output_items/{output_item_id} OutputItemRetrieveResponse
list GET /evals/{eval_id}/runs/{run_id}/output_items cursor:OutputItemListResponse
[files]
create POST /files FileObject files=file needs=file,purpose
retrieve GET /files/{file_id} FileObject
list GET /files cursor:FileObject
delete DELETE /files/{file_id} FileDeleted
content GET /files/{file_id}/content binary accept=application/binary
retrieve_content GET /files/{file_id}/content str
[fine_tuning.alpha.graders]
run POST /fine_tuning/alpha/graders/run GraderRunResponse needs=grader,model_sample
validate POST /fine_tuning/alpha/graders/validate GraderValidateResponse needs=grader
[fine_tuning.checkpoints.permissions]
create POST /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions plain:PermissionCreateResponse needs=project_ids
retrieve GET /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions PermissionRetrieveResponse
list GET /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions conversation:PermissionListResponse
delete DELETE /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions/{permission_id} PermissionDeleteResponse
[fine_tuning.jobs]
create POST /fine_tuning/jobs FineTuningJob needs=model,training_file
retrieve GET /fine_tuning/jobs/{fine_tuning_job_id} FineTuningJob
list GET /fine_tuning/jobs cursor:FineTuningJob
cancel POST /fine_tuning/jobs/{fine_tuning_job_id}/cancel FineTuningJob bare
list_events GET /fine_tuning/jobs/{fine_tuning_job_id}/events cursor:FineTuningJobEvent
pause POST /fine_tuning/jobs/{fine_tuning_job_id}/pause FineTuningJob bare
resume POST /fine_tuning/jobs/{fine_tuning_job_id}/resume FineTuningJob bare
[fine_tuning.jobs.checkpoints]
list GET /fine_tuning/jobs/{fine_tuning_job_id}/checkpoints cursor:FineTuningJobCheckpoint
[images]
create_variation POST /images/variations ImagesResponse files=image needs=image
edit POST /images/edits ImagesResponse stream=ImageEditStreamEvent files=image,markup,mask needs=image,prompt
generate POST /images/generations ImagesResponse stream=ImageGenStreamEvent needs=prompt
[live]
create POST /live/sessions LiveCreateResponse needs=session,transport
[live.sessions]
accept POST /live/sessions/{session_id}/accept none accept=*/* needs=session
download_recording GET /live/sessions/{session_id}/content binary accept=application/binary
fork POST /live/sessions/{session_id}/fork SessionForkResponse needs=transport
hangup POST /live/sessions/{session_id}/hangup none accept=*/* bare
refer POST /live/sessions/{session_id}/refer none accept=*/* needs=target_uri
reject POST /live/sessions/{session_id}/reject none accept=*/* needs=status_code
[models]
retrieve GET /models/{model} Model
list GET /models plain:Model
delete DELETE /models/{model} ModelDeleted
[moderations]
create POST /moderations ModerationCreateResponse needs=input
[realtime.calls]
create POST /realtime/calls binary accept=application/sdp needs=sdp
accept POST /realtime/calls/{call_id}/accept none accept=*/* needs=type
hangup POST /realtime/calls/{call_id}/hangup none accept=*/* bare
refer POST /realtime/calls/{call_id}/refer none accept=*/* needs=target_uri
reject POST /realtime/calls/{call_id}/reject none accept=*/*
[realtime.client_secrets]
create POST /realtime/client_secrets ClientSecretCreateResponse
[realtime.translations.client_secrets]
create POST /realtime/translations/client_secrets RealtimeTranslationClientSecretCreateResponse needs=session
[responses]
create POST /responses Response stream=ResponseStreamEvent
retrieve GET /responses/{response_id} Response stream=ResponseStreamEvent
delete DELETE /responses/{response_id} none accept=*/*
cancel POST /responses/{response_id}/cancel Response bare
compact POST /responses/compact CompactedResponse needs=model
[responses.input_items]
list GET /responses/{response_id}/input_items cursor:ResponseItem
[responses.input_tokens]
count POST /responses/input_tokens InputTokenCountResponse
[safety.alerts]
retrieve GET /safety/alerts/{id} SafetyAlert
[safety.cases]
retrieve GET /safety/cases/{id} SafetyCase
[skills]
create POST /skills Skill files=files loose
retrieve GET /skills/{skill_id} Skill
update POST /skills/{skill_id} Skill needs=default_version
list GET /skills cursor:Skill
delete DELETE /skills/{skill_id} DeletedSkill
[skills.content]
retrieve GET /skills/{skill_id}/content binary accept=application/binary
[skills.versions]
create POST /skills/{skill_id}/versions SkillVersion files=files loose
retrieve GET /skills/{skill_id}/versions/{version} SkillVersion
list GET /skills/{skill_id}/versions cursor:SkillVersion
delete DELETE /skills/{skill_id}/versions/{version} DeletedSkillVersion
[skills.versions.content]
retrieve GET /skills/{skill_id}/versions/{version}/content binary accept=application/binary
[uploads]
create POST /uploads Upload needs=bytes,filename,mime_type,purpose
cancel POST /uploads/{upload_id}/cancel Upload bare
complete POST /uploads/{upload_id}/complete Upload needs=part_ids
[uploads.parts]
create POST /uploads/{upload_id}/parts UploadPart files=data needs=data
[vector_stores] beta=assistants=v2
create POST /vector_stores VectorStore
retrieve GET /vector_stores/{vector_store_id} VectorStore
update POST /vector_stores/{vector_store_id} VectorStore
list GET /vector_stores cursor:VectorStore
delete DELETE /vector_stores/{vector_store_id} VectorStoreDeleted
search POST /vector_stores/{vector_store_id}/search plain:VectorStoreSearchResponse needs=query
[vector_stores.file_batches] beta=assistants=v2
create POST /vector_stores/{vector_store_id}/file_batches VectorStoreFileBatch
retrieve GET /vector_stores/{vector_store_id}/file_batches/{batch_id} VectorStoreFileBatch
cancel POST /vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel VectorStoreFileBatch bare
list_files GET /vector_stores/{vector_store_id}/file_batches/{batch_id}/files cursor:VectorStoreFile
[vector_stores.files] beta=assistants=v2
create POST /vector_stores/{vector_store_id}/files VectorStoreFile needs=file_id
retrieve GET /vector_stores/{vector_store_id}/files/{file_id} VectorStoreFile
update POST /vector_stores/{vector_store_id}/files/{file_id} VectorStoreFile needs=attributes
list GET /vector_stores/{vector_store_id}/files cursor:VectorStoreFile
delete DELETE /vector_stores/{vector_store_id}/files/{file_id} VectorStoreFileDeleted
content GET /vector_stores/{vector_store_id}/files/{file_id}/content plain:FileContentResponse
[videos]
create POST /videos Video files=input_reference needs=prompt
retrieve GET /videos/{video_id} Video
list GET /videos conversation:Video
delete DELETE /videos/{video_id} VideoDeleteResponse
create_character POST /videos/characters VideoCreateCharacterResponse files=video needs=name,video
download_content GET /videos/{video_id}/content binary accept=application/binary
edit POST /videos/edits Video files=video needs=prompt,video
extend POST /videos/extensions Video files=video needs=prompt,seconds,video
get_character GET /videos/characters/{character_id} VideoGetCharacterResponse
remix POST /videos/{video_id}/remix Video needs=prompt
[webhooks]
create POST /webhook_endpoints WebhookEndpointWithSecret needs=event_types,name,url
retrieve GET /webhook_endpoints/{webhook_endpoint_id} WebhookEndpoint
update POST /webhook_endpoints/{webhook_endpoint_id} WebhookEndpoint
list GET /webhook_endpoints cursor:WebhookEndpoint
delete DELETE /webhook_endpoints/{webhook_endpoint_id} DeletedWebhookEndpoint
rotate_secret POST /webhook_endpoints/{webhook_endpoint_id}/rotate_secret WebhookEndpointWithSecret
test POST /webhook_endpoints/{webhook_endpoint_id}/test WebhookEndpointTestResult needs=event_type
[webhooks.event_types]
list GET /webhook_event_types WebhookEventTypeList
"""

#: Resources that are found in a second place.
ALIASES = {"beta.chat": "chat", "beta.vector_stores": "vector_stores"}
