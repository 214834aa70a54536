//! The registry of providers: one file each, one line here.

mod google_ai_studio_gemini;

use crate::Provider;

/// Every provider, in the order in which people are shown them.
static ALL: &[&dyn Provider] = &[&google_ai_studio_gemini::GoogleAiStudioGemini];

/// Every provider, in the order in which people are shown them.
pub fn all() -> &'static [&'static dyn Provider] {
    ALL
}

/// The provider of that id.
pub fn find(id: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.spec().id == id)
}
