"""Where signals come from: each source a question and a pure function."""
