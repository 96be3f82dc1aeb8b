"""State machines against AWS's schema of the Amazon States Language."""
