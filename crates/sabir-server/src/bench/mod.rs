//! `sabir bench`: what the gateway adds, measured beside a direct call in one run.
