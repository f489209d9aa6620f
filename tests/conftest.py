from hypothesis import settings

# how long an example takes says more of the machine than of the code
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
