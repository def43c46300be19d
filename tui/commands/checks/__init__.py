"""What `loopdesk doctor` looks at, one subject a file. A check says what it found in lines and never raises."""
