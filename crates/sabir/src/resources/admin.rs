//! The resources of OpenAI's protocol for the keeper of an organization; they want the admin key.
//!
//! Invariant: a row is an endpoint; what a row says is all that there is to know about it.

use sabir_types::Value;

use super::table::resources;
use crate::types::Deleted;

resources! {
    ADMIN

    /// The calls of `admin`.
    Admin "admin" [] {
        > organization: AdminOrganization;
    }

    /// The calls of `admin.organization`.
    AdminOrganization "admin.organization" [] {
        > admin_api_keys: AdminAdminApiKeys;
        > audit_logs: AdminAuditLogs;
        > certificates: AdminCertificates;
        > data_retention: AdminDataRetention;
        > external_keys: AdminExternalKeys;
        > external_storage: AdminExternalStorage;
        > groups: AdminGroups;
        > invites: AdminInvites;
        > projects: AdminProjects;
        > roles: AdminRoles;
        > spend_alerts: AdminSpendAlerts;
        > spend_limit: AdminSpendLimit;
        > usage: AdminUsage;
        > users: AdminUsers;
        > workload_identity_providers: AdminWorkloadIdentityProviders;
    }

    /// The calls of `admin.organization.admin_api_keys`.
    AdminAdminApiKeys "admin.organization.admin_api_keys" [] {
        create POST "/organization/admin_api_keys" () json -> Value;
        delete DELETE "/organization/admin_api_keys/{}" (key) none -> Deleted;
        list GET "/organization/admin_api_keys" () cursor -> Value;
        retrieve GET "/organization/admin_api_keys/{}" (key) none -> Value;
    }

    /// The calls of `admin.organization.audit_logs`.
    AdminAuditLogs "admin.organization.audit_logs" [] {
        list GET "/organization/audit_logs" () last -> Value;
    }

    /// The calls of `admin.organization.certificates`.
    AdminCertificates "admin.organization.certificates" [] {
        activate POST "/organization/certificates/activate" () json_single -> Value;
        create POST "/organization/certificates" () json -> Value;
        deactivate POST "/organization/certificates/deactivate" () json_single -> Value;
        delete DELETE "/organization/certificates/{}" (certificate) none -> Deleted;
        list GET "/organization/certificates" () last -> Value;
        retrieve GET "/organization/certificates/{}" (certificate) none -> Value;
        update POST "/organization/certificates/{}" (certificate) json -> Value;
    }

    /// The calls of `admin.organization.data_retention`.
    AdminDataRetention "admin.organization.data_retention" [] {
        retrieve GET "/organization/data_retention" () none -> Value;
        update POST "/organization/data_retention" () json -> Value;
    }

    /// The calls of `admin.organization.external_keys`.
    AdminExternalKeys "admin.organization.external_keys" [] {
        create POST "/organization/external_keys" () json -> Value;
        delete DELETE "/organization/external_keys/{}" (external_key) none -> Value;
        list GET "/organization/external_keys" () cursor -> Value;
        retrieve GET "/organization/external_keys/{}" (external_key) none -> Value;
        validate POST "/organization/external_keys/{}/validate" (external_key) none -> Value;
    }

    /// The calls of `admin.organization.external_storage`.
    AdminExternalStorage "admin.organization.external_storage" [] {
        create POST "/organization/external_storage" () json -> Value;
        delete DELETE "/organization/external_storage/{}" (external_storage) none -> Value;
        list GET "/organization/external_storage" () cursor -> Value;
        retrieve GET "/organization/external_storage/{}" (external_storage) none -> Value;
        validate POST "/organization/external_storage/{}/validate" (external_storage) none -> Value;
    }

    /// The calls of `admin.organization.groups`.
    AdminGroups "admin.organization.groups" [] {
        > roles: AdminGroupsRoles;
        > users: AdminGroupsUsers;
        create POST "/organization/groups" () json -> Value;
        delete DELETE "/organization/groups/{}" (group) none -> Deleted;
        list GET "/organization/groups" () next -> Value;
        retrieve GET "/organization/groups/{}" (group) none -> Value;
        update POST "/organization/groups/{}" (group) json -> Value;
    }

    /// The calls of `admin.organization.groups.roles`.
    AdminGroupsRoles "admin.organization.groups.roles" [] {
        create POST "/organization/groups/{}/roles" (group) json -> Value;
        delete DELETE "/organization/groups/{}/roles/{}" (group, role) none -> Deleted;
        list GET "/organization/groups/{}/roles" (group) next -> Value;
        retrieve GET "/organization/groups/{}/roles/{}" (group, role) none -> Value;
    }

    /// The calls of `admin.organization.groups.users`.
    AdminGroupsUsers "admin.organization.groups.users" [] {
        create POST "/organization/groups/{}/users" (group) json -> Value;
        delete DELETE "/organization/groups/{}/users/{}" (group, user) none -> Deleted;
        list GET "/organization/groups/{}/users" (group) next -> Value;
        retrieve GET "/organization/groups/{}/users/{}" (group, user) none -> Value;
    }

    /// The calls of `admin.organization.invites`.
    AdminInvites "admin.organization.invites" [] {
        create POST "/organization/invites" () json -> Value;
        delete DELETE "/organization/invites/{}" (invite) none -> Deleted;
        list GET "/organization/invites" () last -> Value;
        retrieve GET "/organization/invites/{}" (invite) none -> Value;
    }

    /// The calls of `admin.organization.projects`.
    AdminProjects "admin.organization.projects" [] {
        > api_keys: AdminProjectsApiKeys;
        > certificates: AdminProjectsCertificates;
        > data_retention: AdminProjectsDataRetention;
        > groups: AdminProjectsGroups;
        > hosted_tool_permissions: AdminProjectsHostedToolPermissions;
        > model_permissions: AdminProjectsModelPermissions;
        > rate_limits: AdminProjectsRateLimits;
        > roles: AdminProjectsRoles;
        > service_accounts: AdminProjectsServiceAccounts;
        > service_tier_settings: AdminProjectsServiceTierSettings;
        > spend_alerts: AdminProjectsSpendAlerts;
        > spend_limit: AdminProjectsSpendLimit;
        > users: AdminProjectsUsers;
        archive POST "/organization/projects/{}/archive" (project) none -> Value;
        create POST "/organization/projects" () json -> Value;
        list GET "/organization/projects" () last -> Value;
        retrieve GET "/organization/projects/{}" (project) none -> Value;
        update POST "/organization/projects/{}" (project) json -> Value;
    }

    /// The calls of `admin.organization.projects.api_keys`.
    AdminProjectsApiKeys "admin.organization.projects.api_keys" [] {
        delete DELETE "/organization/projects/{}/api_keys/{}" (project, api_key) none -> Deleted;
        list GET "/organization/projects/{}/api_keys" (project) last -> Value;
        retrieve GET "/organization/projects/{}/api_keys/{}" (project, api_key) none -> Value;
        update POST "/organization/projects/{}/api_keys/{}" (project, api_key) json -> Value;
    }

    /// The calls of `admin.organization.projects.certificates`.
    AdminProjectsCertificates "admin.organization.projects.certificates" [] {
        activate POST "/organization/projects/{}/certificates/activate" (project) json_single -> Value;
        deactivate POST "/organization/projects/{}/certificates/deactivate" (project) json_single -> Value;
        list GET "/organization/projects/{}/certificates" (project) last -> Value;
    }

    /// The calls of `admin.organization.projects.data_retention`.
    AdminProjectsDataRetention "admin.organization.projects.data_retention" [] {
        retrieve GET "/organization/projects/{}/data_retention" (project) none -> Value;
        update POST "/organization/projects/{}/data_retention" (project) json -> Value;
    }

    /// The calls of `admin.organization.projects.groups`.
    AdminProjectsGroups "admin.organization.projects.groups" [] {
        > roles: AdminProjectsGroupsRoles;
        create POST "/organization/projects/{}/groups" (project) json -> Value;
        delete DELETE "/organization/projects/{}/groups/{}" (project, group) none -> Deleted;
        list GET "/organization/projects/{}/groups" (project) next -> Value;
        retrieve GET "/organization/projects/{}/groups/{}" (project, group) none -> Value;
    }

    /// The calls of `admin.organization.projects.groups.roles`.
    AdminProjectsGroupsRoles "admin.organization.projects.groups.roles" [] {
        create POST "/projects/{}/groups/{}/roles" (project, group) json -> Value;
        delete DELETE "/projects/{}/groups/{}/roles/{}" (project, group, role) none -> Deleted;
        list GET "/projects/{}/groups/{}/roles" (project, group) next -> Value;
        retrieve GET "/projects/{}/groups/{}/roles/{}" (project, group, role) none -> Value;
    }

    /// The calls of `admin.organization.projects.hosted_tool_permissions`.
    AdminProjectsHostedToolPermissions "admin.organization.projects.hosted_tool_permissions" [] {
        retrieve GET "/organization/projects/{}/hosted_tool_permissions" (project) none -> Value;
        update POST "/organization/projects/{}/hosted_tool_permissions" (project) json -> Value;
    }

    /// The calls of `admin.organization.projects.model_permissions`.
    AdminProjectsModelPermissions "admin.organization.projects.model_permissions" [] {
        delete DELETE "/organization/projects/{}/model_permissions" (project) none -> Deleted;
        retrieve GET "/organization/projects/{}/model_permissions" (project) none -> Value;
        update POST "/organization/projects/{}/model_permissions" (project) json -> Value;
    }

    /// The calls of `admin.organization.projects.rate_limits`.
    AdminProjectsRateLimits "admin.organization.projects.rate_limits" [] {
        list_rate_limits GET "/organization/projects/{}/rate_limits" (project) last -> Value;
        update_rate_limit POST "/organization/projects/{}/rate_limits/{}" (project, rate_limit) json -> Value;
    }

    /// The calls of `admin.organization.projects.roles`.
    AdminProjectsRoles "admin.organization.projects.roles" [] {
        create POST "/projects/{}/roles" (project) json -> Value;
        delete DELETE "/projects/{}/roles/{}" (project, role) none -> Deleted;
        list GET "/projects/{}/roles" (project) next -> Value;
        retrieve GET "/projects/{}/roles/{}" (project, role) none -> Value;
        update POST "/projects/{}/roles/{}" (project, role) json -> Value;
    }

    /// The calls of `admin.organization.projects.service_accounts`.
    AdminProjectsServiceAccounts "admin.organization.projects.service_accounts" [] {
        > api_keys: AdminProjectsServiceAccountsApiKeys;
        create POST "/organization/projects/{}/service_accounts" (project) json -> Value;
        delete DELETE "/organization/projects/{}/service_accounts/{}" (project, service_account) none -> Deleted;
        list GET "/organization/projects/{}/service_accounts" (project) last -> Value;
        retrieve GET "/organization/projects/{}/service_accounts/{}" (project, service_account) none -> Value;
        update POST "/organization/projects/{}/service_accounts/{}" (project, service_account) json -> Value;
    }

    /// The calls of `admin.organization.projects.service_accounts.api_keys`.
    AdminProjectsServiceAccountsApiKeys "admin.organization.projects.service_accounts.api_keys" [] {
        create POST "/organization/projects/{}/service_accounts/{}/api_keys" (project, service_account) json -> Value;
    }

    /// The calls of `admin.organization.projects.service_tier_settings`.
    AdminProjectsServiceTierSettings "admin.organization.projects.service_tier_settings" [] {
        retrieve GET "/organization/projects/{}/service_tier_settings" (project) none -> Value;
        update POST "/organization/projects/{}/service_tier_settings" (project) json -> Value;
    }

    /// The calls of `admin.organization.projects.spend_alerts`.
    AdminProjectsSpendAlerts "admin.organization.projects.spend_alerts" [] {
        create POST "/organization/projects/{}/spend_alerts" (project) json -> Value;
        delete DELETE "/organization/projects/{}/spend_alerts/{}" (project, alert) none -> Deleted;
        list GET "/organization/projects/{}/spend_alerts" (project) last -> Value;
        retrieve GET "/organization/projects/{}/spend_alerts/{}" (project, alert) none -> Value;
        update POST "/organization/projects/{}/spend_alerts/{}" (project, alert) json -> Value;
    }

    /// The calls of `admin.organization.projects.spend_limit`.
    AdminProjectsSpendLimit "admin.organization.projects.spend_limit" [] {
        delete DELETE "/organization/projects/{}/spend_limit" (project) none -> Deleted;
        retrieve GET "/organization/projects/{}/spend_limit" (project) none -> Value;
        update POST "/organization/projects/{}/spend_limit" (project) json -> Value;
    }

    /// The calls of `admin.organization.projects.users`.
    AdminProjectsUsers "admin.organization.projects.users" [] {
        > roles: AdminProjectsUsersRoles;
        create POST "/organization/projects/{}/users" (project) json -> Value;
        delete DELETE "/organization/projects/{}/users/{}" (project, user) none -> Deleted;
        list GET "/organization/projects/{}/users" (project) last -> Value;
        retrieve GET "/organization/projects/{}/users/{}" (project, user) none -> Value;
        update POST "/organization/projects/{}/users/{}" (project, user) json -> Value;
    }

    /// The calls of `admin.organization.projects.users.roles`.
    AdminProjectsUsersRoles "admin.organization.projects.users.roles" [] {
        create POST "/projects/{}/users/{}/roles" (project, user) json -> Value;
        delete DELETE "/projects/{}/users/{}/roles/{}" (project, user, role) none -> Deleted;
        list GET "/projects/{}/users/{}/roles" (project, user) next -> Value;
        retrieve GET "/projects/{}/users/{}/roles/{}" (project, user, role) none -> Value;
    }

    /// The calls of `admin.organization.roles`.
    AdminRoles "admin.organization.roles" [] {
        create POST "/organization/roles" () json -> Value;
        delete DELETE "/organization/roles/{}" (role) none -> Deleted;
        list GET "/organization/roles" () next -> Value;
        retrieve GET "/organization/roles/{}" (role) none -> Value;
        update POST "/organization/roles/{}" (role) json -> Value;
    }

    /// The calls of `admin.organization.spend_alerts`.
    AdminSpendAlerts "admin.organization.spend_alerts" [] {
        create POST "/organization/spend_alerts" () json -> Value;
        delete DELETE "/organization/spend_alerts/{}" (alert) none -> Deleted;
        list GET "/organization/spend_alerts" () last -> Value;
        retrieve GET "/organization/spend_alerts/{}" (alert) none -> Value;
        update POST "/organization/spend_alerts/{}" (alert) json -> Value;
    }

    /// The calls of `admin.organization.spend_limit`.
    AdminSpendLimit "admin.organization.spend_limit" [] {
        delete DELETE "/organization/spend_limit" () none -> Deleted;
        retrieve GET "/organization/spend_limit" () none -> Value;
        update POST "/organization/spend_limit" () json -> Value;
    }

    /// The calls of `admin.organization.usage`.
    AdminUsage "admin.organization.usage" [] {
        audio_speeches GET "/organization/usage/audio_speeches" () none -> Value;
        audio_transcriptions GET "/organization/usage/audio_transcriptions" () none -> Value;
        code_interpreter_sessions GET "/organization/usage/code_interpreter_sessions" () none -> Value;
        completions GET "/organization/usage/completions" () none -> Value;
        costs GET "/organization/costs" () none -> Value;
        decisions GET "/organization/usage/decisions" () none -> Value;
        embeddings GET "/organization/usage/embeddings" () none -> Value;
        file_search_calls GET "/organization/usage/file_search_calls" () none -> Value;
        images GET "/organization/usage/images" () none -> Value;
        moderations GET "/organization/usage/moderations" () none -> Value;
        vector_stores GET "/organization/usage/vector_stores" () none -> Value;
        web_search_calls GET "/organization/usage/web_search_calls" () none -> Value;
    }

    /// The calls of `admin.organization.users`.
    AdminUsers "admin.organization.users" [] {
        > roles: AdminUsersRoles;
        delete DELETE "/organization/users/{}" (user) none -> Deleted;
        list GET "/organization/users" () last -> Value;
        retrieve GET "/organization/users/{}" (user) none -> Value;
        update POST "/organization/users/{}" (user) json -> Value;
    }

    /// The calls of `admin.organization.users.roles`.
    AdminUsersRoles "admin.organization.users.roles" [] {
        create POST "/organization/users/{}/roles" (user) json -> Value;
        delete DELETE "/organization/users/{}/roles/{}" (user, role) none -> Deleted;
        list GET "/organization/users/{}/roles" (user) next -> Value;
        retrieve GET "/organization/users/{}/roles/{}" (user, role) none -> Value;
    }

    /// The calls of `admin.organization.workload_identity_providers`.
    AdminWorkloadIdentityProviders "admin.organization.workload_identity_providers" [] {
        > federation_rules: AdminWorkloadIdentityProvidersFederationRules;
        create POST "/organization/workload_identity_providers" () json -> Value;
        delete DELETE "/organization/workload_identity_providers/{}" (workload_identity_provider) none -> Value;
        list GET "/organization/workload_identity_providers" () cursor -> Value;
        retrieve GET "/organization/workload_identity_providers/{}" (workload_identity_provider) none -> Value;
        update POST "/organization/workload_identity_providers/{}" (workload_identity_provider) json -> Value;
    }

    /// The calls of `admin.organization.workload_identity_providers.federation_rules`.
    AdminWorkloadIdentityProvidersFederationRules "admin.organization.workload_identity_providers.federation_rules" [] {
        create POST "/organization/workload_identity_providers/{}/federation_rules" (workload_identity_provider) json -> Value;
        delete DELETE "/organization/workload_identity_providers/{}/federation_rules/{}" (workload_identity_provider, workload_identity_federation_rule) none -> Value;
        list GET "/organization/workload_identity_providers/{}/federation_rules" (workload_identity_provider) cursor -> Value;
        retrieve GET "/organization/workload_identity_providers/{}/federation_rules/{}" (workload_identity_provider, workload_identity_federation_rule) none -> Value;
        update POST "/organization/workload_identity_providers/{}/federation_rules/{}" (workload_identity_provider, workload_identity_federation_rule) json -> Value;
    }
}
