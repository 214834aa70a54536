"""OpenAI's API as a table of calls, with one definition of everything for threads and event loops."""
