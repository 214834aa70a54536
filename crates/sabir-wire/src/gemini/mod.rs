//! Google's generateContent, both directions.
