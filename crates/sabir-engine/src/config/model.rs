//! `[models]` and `[embedding_models]`: where a call can go.
//!
//! Invariant: a model that loads has a target, and every target can do what models of its table are for.

use std::{collections::HashMap, sync::Arc};

use sabir_providers::{CredentialScheme, Provider};
use sabir_types::Operation;

use super::{
    change,
    credential::{self, Found, Given},
    env::Env,
    near, options,
    reader::{NOT_YET, Reader},
    registry::{self, Registry},
    tree::Entry,
};
use crate::plan::{Endpoint, Model, Retries, Timeouts};

/// What reading models needs to know.
pub(super) struct Around<'a> {
    pub(super) env: &'a Env,
    pub(super) registry: &'a Registry,
    /// What a model's own retries fall back to.
    pub(super) retries: Retries,
}

/// All models of one table.
pub(super) fn read(models: &Reader<'_>, operation: Operation, around: &Around<'_>) -> HashMap<Arc<str>, Arc<Model>> {
    let mut all = HashMap::new();
    for entry in models.entries() {
        if let Some(model) = model(models, entry, operation, around) {
            all.insert(model.name.clone(), Arc::new(model));
        }
    }
    all
}

fn model(models: &Reader<'_>, entry: &Entry, operation: Operation, around: &Around<'_>) -> Option<Model> {
    let log = models.log();
    let mut reader = Reader::of(entry, models.path_of(&entry.name), log)?;
    let name: Arc<str> = entry.name.as_str().into();
    if name.is_empty() {
        log.problem(Some(&entry.place), reader.path(), "a model's name is not empty");
    }
    let timeouts = timeouts(&mut reader, operation);
    let retries = retries(&mut reader, around.retries);
    // There is no other gateway that calls could be relayed to.
    reader.boolean("skip_relay");
    reader.passive("namespace");
    let providers = reader.table("providers");
    let routing = reader.texts("routing");
    let mut endpoints: Vec<(&str, Option<Arc<Endpoint>>)> = Vec::new();
    match &providers {
        None if reader.entry("providers").is_none() => reader.missing("providers"),
        None => {}
        Some(providers) => {
            for entry in providers.entries() {
                let endpoint = endpoint(providers, entry, &name, &timeouts, operation, around).map(Arc::new);
                endpoints.push((&entry.name, endpoint));
            }
        }
    }
    let routing = match routing {
        Some(names) => routed(&mut reader, &names, &endpoints),
        // Without a routing the order of the file counts.
        None => endpoints.iter().filter_map(|(_, endpoint)| endpoint.clone()).collect(),
    };
    if endpoints.is_empty() && providers.is_some() {
        log.problem(Some(&entry.place), &reader.path_of("providers"), "a model has at least one provider");
    }
    reader.finish();
    Some(Model { name, routing, timeouts, retries })
}

/// The endpoints in the order of `routing`.
fn routed(
    reader: &mut Reader<'_>,
    names: &[(&str, &super::tree::Node)],
    endpoints: &[(&str, Option<Arc<Endpoint>>)],
) -> Vec<Arc<Endpoint>> {
    let log = reader.log();
    let path = reader.path_of("routing");
    let mut routing = Vec::new();
    for (index, (name, node)) in names.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if names[..index].iter().any(|(before, _)| before == name) {
            log.problem(Some(&node.place), &path, format!("`{name}` is in the routing twice"));
            continue;
        }
        match endpoints.iter().find(|(known, _)| known == name) {
            Some((_, endpoint)) => routing.extend(endpoint.clone()),
            None => {
                let hint = near::did_you_mean(name, endpoints.iter().map(|(known, _)| *known));
                log.problem(Some(&node.place), &path, format!("the model has no provider `{name}`{hint}"));
            }
        }
    }
    if let Some(entry) = reader.entry("routing") {
        if names.is_empty() {
            reader.problem(entry, "a routing has at least one provider");
        }
        for (unused, _) in endpoints.iter().filter(|(known, _)| !names.iter().any(|(name, _)| name == known)) {
            log.note(Some(&entry.place), &path, format!("provider `{unused}` is not in the routing and is never used"));
        }
    }
    routing
}

fn endpoint(
    providers: &Reader<'_>,
    entry: &Entry,
    model: &Arc<str>,
    outer: &Timeouts,
    operation: Operation,
    around: &Around<'_>,
) -> Option<Endpoint> {
    let log = providers.log();
    let mut reader = Reader::of(entry, providers.path_of(&entry.name), log)?;
    let kind = reader.required("type")?;
    let Some(provider) = around.registry.find(kind) else {
        let hint = near::did_you_mean(kind, around.registry.ids());
        let entry = reader.entry("type")?;
        // Which keys there could be depends on the type, so the others are not looked at.
        reader.problem(entry, format!("unknown provider type{hint}"));
        return None;
    };
    let spec = provider.spec();
    // All but vectors have one table: what a model of it can do, its providers say.
    let fits = |able: &Operation| *able == operation || (operation == Operation::Chat && *able != Operation::Embed);
    if !spec.can.operations.iter().any(fits) {
        let entry = reader.entry("type")?;
        reader.problem(entry, format!("provider type `{}` has no {operation}", spec.id));
    }
    let mut options = options::read(&mut reader, spec.id, around.env);
    let upstream = options::upstream_model(&mut reader, spec.id, model, &mut options);
    let api_base = address(&mut reader, provider, around);
    let key = key(&mut reader, provider, around);
    if let Some(key) = &key {
        let project = key.project.as_deref();
        let has_address = api_base.is_some();
        options::whereabouts(&reader, provider.credentials(), &mut options, has_address, project, around.env);
    }
    let mut timeouts = timeouts(&mut reader, operation);
    // Once a stream runs, only its endpoint's limits are looked at.
    timeouts.between_events = timeouts.between_events.or(outer.between_events);
    timeouts.stream_total = timeouts.stream_total.or(outer.stream_total);
    let extra_body = change::body(&mut reader);
    let extra_headers = change::headers(&mut reader);
    let cost = change::cost(&mut reader, "cost");
    if !change::cost(&mut reader, "batch_cost").is_empty()
        && let Some(entry) = reader.entry("batch_cost")
    {
        log.note(Some(&entry.place), &reader.path_of("batch_cost"), NOT_YET);
    }
    reader.finish();
    let (upstream_model, key) = (upstream?, key?);
    let base = api_base.clone().or_else(|| Some(options::cloud(&options).join("/")).filter(|place| !place.is_empty()));
    Some(Endpoint {
        circuit: registry::circuit(provider, base.as_deref(), &key.location, &upstream_model),
        price: around.registry.price(provider, &upstream_model, api_base.as_deref()),
        name: entry.name.as_str().into(),
        model: model.clone(),
        provider,
        upstream_model,
        api_base,
        credential: key.credential,
        options,
        timeouts,
        extra_body,
        extra_headers,
        cost,
    })
}

/// Where the provider listens, if not at its usual place.
pub(super) fn address(reader: &mut Reader<'_>, provider: &'static dyn Provider, around: &Around<'_>) -> Option<String> {
    let spec = provider.spec();
    let mut given = None;
    let mut any = false;
    for name in options::ADDRESSES {
        any |= reader.entry(name).is_some();
        given = given.or(registry::api_base(reader, name, around.env));
    }
    given = given.or_else(|| around.registry.defaults(provider)?.api_base.clone());
    // The address of a cloud follows from the region.
    let derived = matches!(provider.credentials(), CredentialScheme::Aws | CredentialScheme::Google);
    if given.is_none() && !any && !derived && spec.base_url.is_none() && !spec.shorthand {
        reader.missing("api_base");
    }
    given
}

/// The credential; a missing one leaves a note, and the call that needs it says so.
pub(super) fn key(reader: &mut Reader<'_>, provider: &'static dyn Provider, around: &Around<'_>) -> Option<Found> {
    let (found, place, path) = match credential::given(reader, provider.credentials(), around.env) {
        Given::Wrong => return None,
        Given::Found(found, entry) => (found, Some(&entry.node.place), reader.path_of(&entry.name)),
        Given::Nothing => (around.registry.defaults(provider)?.key.clone(), reader.place(), reader.path().to_owned()),
    };
    if let Some(why) = credential::lacks(&found.credential) {
        reader.log().note(place, &path, format!("no credential: {why}"));
    }
    Some(found)
}

/// Reads `timeouts`; embedding models also have the older `timeout_ms`.
pub(super) fn timeouts(reader: &mut Reader<'_>, operation: Operation) -> Timeouts {
    let mut all = Timeouts::default();
    if operation == Operation::Embed {
        all.total = reader.millis("timeout_ms");
    }
    let Some(mut table) = reader.table("timeouts") else { return all };
    all.connect = table.millis("connect_ms");
    if let Some(mut whole) = table.table("non_streaming") {
        all.total = whole.millis("total_ms").or(all.total);
        whole.finish();
    }
    if let Some(mut stream) = table.table("streaming") {
        all.first_event = stream.millis("ttft_ms");
        all.between_events = stream.millis("idle_ms");
        all.stream_total = stream.millis("total_ms");
        stream.finish();
    }
    table.finish();
    all
}

/// Reads `retries`.
pub(super) fn retries(reader: &mut Reader<'_>, outer: Retries) -> Retries {
    let Some(mut table) = reader.table("retries") else { return outer };
    let num_retries = table.integer("num_retries", 0, 100).map_or(outer.num_retries, |number| number as u32);
    let max_delay = table.seconds("max_delay_s").unwrap_or(outer.max_delay);
    table.finish();
    Retries { num_retries, max_delay }
}
