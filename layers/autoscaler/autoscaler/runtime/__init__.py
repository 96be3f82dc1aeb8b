"""What handlers call. Imported first by each of them."""

import gc

# Importing makes some hundred thousand objects that live as long as the process. With the usual
# threshold of 700 the collector looks through them again and again: a tenth of a cold start.
gc.set_threshold(50_000, 10, 10)
