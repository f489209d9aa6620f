import os

from hypothesis import settings

# how long an example takes says more of the machine than of the code
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# read once, by whichever test imports transformers first
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
