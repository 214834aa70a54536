"""The calls for administrators, written as in `rows`."""

ROWS = """\
[admin.organization.admin_api_keys]
create POST /organization/admin_api_keys AdminAPIKeyCreateResponse admin needs=name
retrieve GET /organization/admin_api_keys/{key_id} AdminAPIKey admin
list GET /organization/admin_api_keys cursor:AdminAPIKey admin
delete DELETE /organization/admin_api_keys/{key_id} AdminAPIKeyDeleteResponse admin
[admin.organization.audit_logs]
list GET /organization/audit_logs conversation:AuditLogListResponse admin
[admin.organization.certificates]
create POST /organization/certificates Certificate admin needs=certificate
retrieve GET /organization/certificates/{certificate_id} Certificate admin
update POST /organization/certificates/{certificate_id} Certificate admin
list GET /organization/certificates conversation:CertificateListResponse admin
delete DELETE /organization/certificates/{certificate_id} CertificateDeleteResponse admin
activate POST /organization/certificates/activate plain:CertificateActivateResponse admin needs=certificate_ids
deactivate POST /organization/certificates/deactivate plain:CertificateDeactivateResponse admin needs=certificate_ids
[admin.organization.data_retention]
retrieve GET /organization/data_retention OrganizationDataRetention admin
update POST /organization/data_retention OrganizationDataRetention admin needs=retention_type
[admin.organization.external_keys]
create POST /organization/external_keys ExternalKey admin needs=name,type
retrieve GET /organization/external_keys/{external_key_id} ExternalKey admin
list GET /organization/external_keys cursor:ExternalKey admin
delete DELETE /organization/external_keys/{external_key_id} ExternalKey admin
validate POST /organization/external_keys/{external_key_id}/validate ExternalKeyValidateResponse admin bare
[admin.organization.external_storage]
create POST /organization/external_storage ExternalStorageConfiguration admin needs=project_id,provider
retrieve GET /organization/external_storage/{external_storage_id} ExternalStorageConfiguration admin
list GET /organization/external_storage cursor:ExternalStorageConfiguration admin
delete DELETE /organization/external_storage/{external_storage_id} ExternalStorageDeleted admin
validate POST /organization/external_storage/{external_storage_id}/validate ExternalStorageConfiguration admin bare
[admin.organization.groups]
create POST /organization/groups Group admin needs=name
retrieve GET /organization/groups/{group_id} Group admin
update POST /organization/groups/{group_id} GroupUpdateResponse admin needs=name
list GET /organization/groups next:Group admin
delete DELETE /organization/groups/{group_id} GroupDeleteResponse admin
[admin.organization.groups.roles]
create POST /organization/groups/{group_id}/roles RoleCreateResponse admin needs=role_id
retrieve GET /organization/groups/{group_id}/roles/{role_id} RoleRetrieveResponse admin
list GET /organization/groups/{group_id}/roles next:RoleListResponse admin
delete DELETE /organization/groups/{group_id}/roles/{role_id} RoleDeleteResponse admin
[admin.organization.groups.users]
create POST /organization/groups/{group_id}/users UserCreateResponse admin needs=user_id
retrieve GET /organization/groups/{group_id}/users/{user_id} UserRetrieveResponse admin
list GET /organization/groups/{group_id}/users next:OrganizationGroupUser admin
delete DELETE /organization/groups/{group_id}/users/{user_id} UserDeleteResponse admin
[admin.organization.invites]
create POST /organization/invites Invite admin needs=email,role
retrieve GET /organization/invites/{invite_id} Invite admin
list GET /organization/invites conversation:Invite admin
delete DELETE /organization/invites/{invite_id} InviteDeleteResponse admin
[admin.organization.projects]
create POST /organization/projects Project admin needs=name
retrieve GET /organization/projects/{project_id} Project admin
update POST /organization/projects/{project_id} Project admin
list GET /organization/projects conversation:Project admin
archive POST /organization/projects/{project_id}/archive Project admin bare
[admin.organization.projects.api_keys]
retrieve GET /organization/projects/{project_id}/api_keys/{api_key_id} ProjectAPIKey admin
update POST /organization/projects/{project_id}/api_keys/{api_key_id} ProjectAPIKey admin
list GET /organization/projects/{project_id}/api_keys conversation:ProjectAPIKey admin
delete DELETE /organization/projects/{project_id}/api_keys/{api_key_id} APIKeyDeleteResponse admin
[admin.organization.projects.certificates]
list GET /organization/projects/{project_id}/certificates conversation:CertificateListResponse admin
activate POST /organization/projects/{project_id}/certificates/activate plain:CertificateActivateResponse admin needs=certificate_ids
deactivate POST /organization/projects/{project_id}/certificates/deactivate plain:CertificateDeactivateResponse admin needs=certificate_ids
[admin.organization.projects.data_retention]
retrieve GET /organization/projects/{project_id}/data_retention ProjectDataRetention admin
update POST /organization/projects/{project_id}/data_retention ProjectDataRetention admin needs=retention_type
[admin.organization.projects.groups]
create POST /organization/projects/{project_id}/groups ProjectGroup admin needs=group_id,role
retrieve GET /organization/projects/{project_id}/groups/{group_id} ProjectGroup admin
list GET /organization/projects/{project_id}/groups next:ProjectGroup admin
delete DELETE /organization/projects/{project_id}/groups/{group_id} GroupDeleteResponse admin
[admin.organization.projects.groups.roles]
create POST /projects/{project_id}/groups/{group_id}/roles RoleCreateResponse admin needs=role_id
retrieve GET /projects/{project_id}/groups/{group_id}/roles/{role_id} RoleRetrieveResponse admin
list GET /projects/{project_id}/groups/{group_id}/roles next:RoleListResponse admin
delete DELETE /projects/{project_id}/groups/{group_id}/roles/{role_id} RoleDeleteResponse admin
[admin.organization.projects.hosted_tool_permissions]
retrieve GET /organization/projects/{project_id}/hosted_tool_permissions ProjectHostedToolPermissions admin
update POST /organization/projects/{project_id}/hosted_tool_permissions ProjectHostedToolPermissions admin
[admin.organization.projects.model_permissions]
retrieve GET /organization/projects/{project_id}/model_permissions ProjectModelPermissions admin
update POST /organization/projects/{project_id}/model_permissions ProjectModelPermissions admin needs=mode,model_ids
delete DELETE /organization/projects/{project_id}/model_permissions ProjectModelPermissionsDeleted admin
[admin.organization.projects.rate_limits]
list_rate_limits GET /organization/projects/{project_id}/rate_limits conversation:ProjectRateLimit admin
update_rate_limit POST /organization/projects/{project_id}/rate_limits/{rate_limit_id} ProjectRateLimit admin
[admin.organization.projects.roles]
create POST /projects/{project_id}/roles Role admin needs=permissions,role_name
retrieve GET /projects/{project_id}/roles/{role_id} Role admin
update POST /projects/{project_id}/roles/{role_id} Role admin
list GET /projects/{project_id}/roles next:Role admin
delete DELETE /projects/{project_id}/roles/{role_id} RoleDeleteResponse admin
[admin.organization.projects.service_accounts]
create POST /organization/projects/{project_id}/service_accounts ServiceAccountCreateResponse admin needs=name
retrieve GET /organization/projects/{project_id}/service_accounts/{service_account_id} ProjectServiceAccount admin
update POST /organization/projects/{project_id}/service_accounts/{service_account_id} ProjectServiceAccount admin
list GET /organization/projects/{project_id}/service_accounts conversation:ProjectServiceAccount admin
delete DELETE /organization/projects/{project_id}/service_accounts/{service_account_id} ServiceAccountDeleteResponse admin
[admin.organization.projects.service_accounts.api_keys]
create POST /organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys APIKeyCreateResponse admin
[admin.organization.projects.service_tier_settings]
retrieve GET /organization/projects/{project_id}/service_tier_settings ProjectServiceTierSettings admin
update POST /organization/projects/{project_id}/service_tier_settings ProjectServiceTierSettings admin
[admin.organization.projects.spend_alerts]
create POST /organization/projects/{project_id}/spend_alerts ProjectSpendAlert admin needs=currency,interval,notification_channel,threshold_amount
retrieve GET /organization/projects/{project_id}/spend_alerts/{alert_id} ProjectSpendAlert admin
update POST /organization/projects/{project_id}/spend_alerts/{alert_id} ProjectSpendAlert admin needs=currency,interval,notification_channel,threshold_amount
list GET /organization/projects/{project_id}/spend_alerts conversation:ProjectSpendAlert admin
delete DELETE /organization/projects/{project_id}/spend_alerts/{alert_id} ProjectSpendAlertDeleted admin
[admin.organization.projects.spend_limit]
retrieve GET /organization/projects/{project_id}/spend_limit ProjectSpendLimit admin
update POST /organization/projects/{project_id}/spend_limit ProjectSpendLimit admin needs=currency,interval,threshold_amount
delete DELETE /organization/projects/{project_id}/spend_limit ProjectSpendLimitDeleted admin
[admin.organization.projects.users]
create POST /organization/projects/{project_id}/users ProjectUser admin needs=role
retrieve GET /organization/projects/{project_id}/users/{user_id} ProjectUser admin
update POST /organization/projects/{project_id}/users/{user_id} ProjectUser admin
list GET /organization/projects/{project_id}/users conversation:ProjectUser admin
delete DELETE /organization/projects/{project_id}/users/{user_id} UserDeleteResponse admin
[admin.organization.projects.users.roles]
create POST /projects/{project_id}/users/{user_id}/roles RoleCreateResponse admin needs=role_id
retrieve GET /projects/{project_id}/users/{user_id}/roles/{role_id} RoleRetrieveResponse admin
list GET /projects/{project_id}/users/{user_id}/roles next:RoleListResponse admin
delete DELETE /projects/{project_id}/users/{user_id}/roles/{role_id} RoleDeleteResponse admin
[admin.organization.roles]
create POST /organization/roles Role admin needs=permissions,role_name
retrieve GET /organization/roles/{role_id} Role admin
update POST /organization/roles/{role_id} Role admin
list GET /organization/roles next:Role admin
delete DELETE /organization/roles/{role_id} RoleDeleteResponse admin
[admin.organization.spend_alerts]
create POST /organization/spend_alerts OrganizationSpendAlert admin needs=currency,interval,notification_channel,threshold_amount
retrieve GET /organization/spend_alerts/{alert_id} OrganizationSpendAlert admin
update POST /organization/spend_alerts/{alert_id} OrganizationSpendAlert admin needs=currency,interval,notification_channel,threshold_amount
list GET /organization/spend_alerts conversation:OrganizationSpendAlert admin
delete DELETE /organization/spend_alerts/{alert_id} OrganizationSpendAlertDeleted admin
[admin.organization.spend_limit]
retrieve GET /organization/spend_limit OrganizationSpendLimit admin
update POST /organization/spend_limit OrganizationSpendLimit admin needs=currency,interval,threshold_amount
delete DELETE /organization/spend_limit OrganizationSpendLimitDeleted admin
[admin.organization.usage]
audio_speeches GET /organization/usage/audio_speeches UsageAudioSpeechesResponse admin needs=start_time
audio_transcriptions GET /organization/usage/audio_transcriptions UsageAudioTranscriptionsResponse admin needs=start_time
code_interpreter_sessions GET /organization/usage/code_interpreter_sessions UsageCodeInterpreterSessionsResponse admin needs=start_time
completions GET /organization/usage/completions UsageCompletionsResponse admin needs=start_time
costs GET /organization/costs UsageCostsResponse admin needs=start_time
decisions GET /organization/usage/decisions UsageDecisionsResponse admin needs=start_time
embeddings GET /organization/usage/embeddings UsageEmbeddingsResponse admin needs=start_time
file_search_calls GET /organization/usage/file_search_calls UsageFileSearchCallsResponse admin needs=start_time
images GET /organization/usage/images UsageImagesResponse admin needs=start_time
moderations GET /organization/usage/moderations UsageModerationsResponse admin needs=start_time
vector_stores GET /organization/usage/vector_stores UsageVectorStoresResponse admin needs=start_time
web_search_calls GET /organization/usage/web_search_calls UsageWebSearchCallsResponse admin needs=start_time
[admin.organization.users]
retrieve GET /organization/users/{user_id} OrganizationUser admin
update POST /organization/users/{user_id} OrganizationUser admin
list GET /organization/users conversation:OrganizationUser admin
delete DELETE /organization/users/{user_id} UserDeleteResponse admin
[admin.organization.users.roles]
create POST /organization/users/{user_id}/roles RoleCreateResponse admin needs=role_id
retrieve GET /organization/users/{user_id}/roles/{role_id} RoleRetrieveResponse admin
list GET /organization/users/{user_id}/roles next:RoleListResponse admin
delete DELETE /organization/users/{user_id}/roles/{role_id} RoleDeleteResponse admin
[admin.organization.workload_identity_providers]
create POST /organization/workload_identity_providers WorkloadIdentityProvider admin needs=audience,issuer,name,type
retrieve GET /organization/workload_identity_providers/{workload_identity_provider_id} WorkloadIdentityProvider admin
update POST /organization/workload_identity_providers/{workload_identity_provider_id} WorkloadIdentityProvider admin
list GET /organization/workload_identity_providers cursor:WorkloadIdentityProvider admin
delete DELETE /organization/workload_identity_providers/{workload_identity_provider_id} WorkloadIdentityProviderDeleted admin
[admin.organization.workload_identity_providers.federation_rules]
create POST /organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules FederationRule admin needs=attribute_matchers,project_id,service_account_id
retrieve GET /organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules/{workload_identity_federation_rule_id} FederationRule admin
update POST /organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules/{workload_identity_federation_rule_id} FederationRule admin
list GET /organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules cursor:FederationRule admin
delete DELETE /organization/workload_identity_providers/{workload_identity_provider_id}/federation_rules/{workload_identity_federation_rule_id} FederationRuleDeleted admin
"""
