"""The names of members of OpenAI's objects.

An answer lacks what has no value: reading such a member gives `None`, where a name that no object has
is a mistake.
"""

WORDS = frozenset("""
    accepted_at accepted_prediction_tokens access access_programs account_id account_name acknowledged_safety_checks
    acknowledgement_delay_ms action actions active active_seconds actor added_at agent agent_id agent_name
    allowed_callers allowed_client_events allowed_domains allowed_hosts allowed_ips allowed_server_events
    allowed_tools always amount anchor annotation annotation_index annotations answers api_call_logging
    api_call_logging_project_ids api_key api_key_id api_key_last_used_at api_project_ids api_source
    approval_request_id approve archived_at args arguments assignment_sources assistant_id async attachments
    attribute attribute_matchers attribute_transformations attributes audience audio audio_end_ms audio_start_ms
    audio_tokens auth author authorization automatic_thread_titling automation automation_id avg_logprob b64_json
    background background_options banned banned_at batch batch_1_day_max_input_tokens batch_size beta bucket button
    bytes cache_missed_tokens cache_write_tokens cache_write_tokens_details cached_image_tokens cached_text_tokens
    cached_tokens cached_tokens_details calculate_output call_id caller caller_id cancelled cancelled_at
    cancelling_at capability_directories categories category_applied_input_types category_scores certificate
    certificate_details certificates changes_requested channels characters chatkit_configuration choice choices
    chunk_overlap_tokens chunking_strategy city client client_event_id client_id client_secret closed_at code
    code_interpreter command command_index commands compact_threshold compaction comparison_response_id
    comparison_reusable_tokens completed completed_at completion_tokens completion_tokens_details completion_window
    complexity compression_ratio compute_multiplier confidence configs connect connection_origin connector_id
    connector_name container container_id container_size content content_index content_parts context
    context_compression context_level context_management context_size context_window continuation_id conversation
    conversation_id country create_response created created_after created_at created_before created_by
    created_by_user_obj credential_id credential_origin currency custom cwd cyber data data_channel data_source
    data_source_config datasource_item datasource_item_id days decision decisions default default_version
    defer_loading definition delay delegation delegation_id deleted delta description desktop detail
    detailed_explanation developer_persona diff discovery_url display_height display_width domain domain_secrets dpo
    duration duration_ms eagerness effective_at effort elapsed_ms email embedding embedding_weight enabled
    enabled_tiers encrypted_content end end_index end_ms end_time endpoint enforcement entity entity_identifier env
    env_vars environment environment_id environment_template_id environment_type error error_code error_file_id
    error_message error_type errored errors estimated_finish eval_id eval_interval eval_samples evaluation_metric
    event event_id event_type event_types execution execution_time exit_code experimental expired_at expires_after
    expires_at expires_in_seconds expression external_id external_key_id external_web_access failed failed_at
    field_ids fields file file_citation file_counts file_data file_id file_ids file_name file_path file_search
    file_upload file_url filename files filters finalizing_at fine_tuned_model fine_tuned_model_checkpoint
    fine_tuning_job_id fingerprint finish_reason finished_at first_id flagged format formula_parse_error frame_count
    frame_duration_ms full_valid_loss full_valid_mean_token_accuracy function function_call generate
    generate_summary generated_at geography grader graders grammar group group_id group_name group_type harassment
    has_more hate headers heading history hybrid_search hyperparameters id identity_provider_id idle_timeout_ms
    illicit image image_file image_gen image_generation image_tag image_tokens image_url images in_progress
    in_progress_at include include_obfuscation include_screenshots incomplete_at incomplete_details index
    inference_options input input_audio input_audio_format input_audio_noise_reduction input_audio_tokens
    input_audio_transcription input_cache_write_12h_tokens input_cache_write_30m_tokens input_cache_write_tokens
    input_cached_audio_tokens input_cached_image_tokens input_cached_text_tokens input_cached_tokens input_fidelity
    input_file_id input_image_mask input_image_tokens input_messages input_schema input_text_tokens
    input_token_details input_tokens input_tokens_details input_transformations input_uncached_tokens instructions
    instructions_search integrations interrupt_response interval invalid_variable_error invocation_count ip_address
    is_default is_scale_tier_authorized_purchaser is_scim_managed is_service_account issuer item item_id
    item_reference json_schema jwks key key_name key_ocid key_version key_version_ocid keys keywords kms_arn
    kms_key_location kms_key_name kms_key_ring_name kms_key_version kms_project_id label labels language languages
    last_active_at last_error last_id last_messages last_used_at latest_version learning_rate_multiplier level
    levels limit line line_item location logprob logprobs logs max_audio_megabytes_per_1_minute
    max_chunk_size_tokens max_completion_tokens max_completions_tokens max_concurrent_subagents max_file_size
    max_files max_images_per_1_minute max_num_results max_output_length max_output_tokens max_prompt_tokens
    max_requests_per_1_day max_requests_per_1_minute max_response_output_tokens max_tokens_per_1_minute
    max_tool_calls mcp mcp_server_url media_type memory_limit message message_creation message_id metadata method
    metrics mime_type minutes misalignment modalities mode model model_grader_parse_error model_grader_refusal_error
    model_grader_server_error model_grader_server_error_details model_grader_token_usage_per_model model_ids
    model_name moderation moderation_details moderation_stage multi_agent n_epochs name namespace network
    network_policy networking never next_page no_speech_prob noise_reduction notice notification_channel npm
    num_model_requests num_requests num_sessions obfuscation object offset_ms opened_at operation options
    organization_id origin other_error otlp outcome output output_audio_format output_audio_tokens
    output_compression output_file_id output_format output_image_tokens output_index output_modalities output_schema
    output_text_tokens output_token_details output_tokens output_tokens_details outputs owned_by owner
    owner_project_access packages parallel_tool_calls param parameters parent_agent_id parsed parsed_arguments part
    partial_image_b64 partial_image_index partial_images pass_threshold passed passing_labels path pattern
    pause_reason paused_seconds pending_safety_checks per_model_usage per_testing_criteria_results permissions
    permissions_added permissions_removed phase picture plugins policy post_instructions predefined_role
    prefix_padding_ms preview_url previous_item_id previous_response_id prewarm principal_id principal_type
    probabilities probability progress project project_id projects prompt prompt_cache_breakpoint
    prompt_cache_diagnostics prompt_cache_key prompt_cache_options prompt_cache_retention prompt_tokens
    prompt_tokens_details provider purpose python python_grader_runtime_error python_grader_runtime_error_details
    python_grader_server_error python_grader_server_error_type quality quantity quantity_unit queries query
    questions quote range ranker ranking_options rate rate_limits read_only reason reasoning reasoning_effort
    reasoning_tokens received_at recent_threads recipient recipient_agent_id recipient_agent_ids recipients
    redacted_value reference refresh refusal region reinforcement rejected_prediction_tokens remaining
    remixed_from_video_id remote_url report_url request request_counts request_id request_metadata request_paused
    require_approval required required_action required_actions required_input reset_count reset_seconds residency
    resource resource_group resource_id resource_type response response_event response_format response_id responses
    result result_counts result_files results retention_ratio review review_target revised_prompt reward role
    role_arn role_id role_name run_at run_id safety_category safety_identifier sample sample_parse_error sample_rate
    sampled_model_name sampling_params scheduled_at schema scim_managed scope scopes score score_threshold scores
    scroll_x scroll_y sdp search_content_types search_context_size seconds secret_name seed seek segment_id segments
    selected_option sender_agent_id sequence_number server_description server_label server_url service_account
    service_account_id service_tier session session_id sexual shutdown_date signing_secret signing_secret_hint
    silence_duration_ms sip_headers sip_media_security size size_bytes skill_id skills skip_reason source
    source_event_id source_event_type sources speaker speed start start_index start_ms start_time started_at
    state_variables static status status_code status_details stderr stdout steer step step_details step_number store
    stream stream_id stream_options strength strict sub_rewards subagent subagent_id subject_prefix
    submit_tool_outputs subscription_id success summary summary_index supervised svg svg_usage syntax system
    system_fingerprint tags target task task_type tasks technical_level temperature template tenancy_ocid tenant_id
    testing_criteria text text_offset text_tokens text_weight thread_id threads_ui_visibility threshold
    threshold_amount time_awareness timeout_ms timezone title token token_endpoint token_endpoint_auth token_limits
    token_logprobs token_usage tokens tool_call_id tool_calls tool_choice tool_names tool_resources tool_usage tools
    top_logprobs top_p total total_tokens tracing train_loss train_mean_token_accuracy trained_tokens training_file
    transcript transcription transport trigger_id triggers truncated_observation_error truncation
    truncation_strategy ttl ttl_12h_tokens ttl_30m_tokens tunnel_id turn turn_detection turn_id type
    unresponsive_reward_error updated_at upload_id url url_citation usage usage_bytes usage_dashboard_visibility
    usage_ratio user user_id user_location user_type users valid_at valid_loss valid_mean_token_accuracy
    validation_file validation_state value variables vault_id vault_ids vault_ocid vault_uri vector_store_id
    vector_store_ids verbosity verification version violence voice wandb web_search webhook_endpoint_id widget word
    words workflow workflow_name working_directory workload_identity_pool_id workload_identity_project_number
    workload_identity_provider_id workspace_directory workspace_id x y
    """.split())

#: Members whose value is a map with names of the caller's.
MAPS = frozenset("""
    attribute_matchers attributes created_by_user_obj datasource_item env headers jwks logit_bias metadata
    model_grader_token_usage_per_model otlp output_schema parameters request_metadata schema scores state_variables
    sub_rewards variables
    """.split())
