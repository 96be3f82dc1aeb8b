"""What people read about each event: a title, plain sentences, and the figures beside them."""
