"""Real programs under a real remora, watched from outside: programs, ways to start them, a user's moves."""
