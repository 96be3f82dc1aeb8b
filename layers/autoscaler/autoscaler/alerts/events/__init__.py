"""What the controller announces on the stack's bus: typed events, resource and past tense."""
