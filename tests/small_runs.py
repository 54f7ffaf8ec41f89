"""Settings of a world so small that many trainings of it take seconds; for tests of what trains side by side."""
SMALL = {"twin": {"territories": 7, "reporters": 5, "people": {"burn_in": 10}}, "first_year": 2000, "last_year": 2022,
         "train": {"year_steps": 3, "history_steps": 2, "validate_every": 1, "checkpoint_every": 1, "device": "cpu"},
         "model": {"hidden": 4, "width": 8, "embedding": 2}}
GIVEN = {"epochs": 2, "settings": SMALL}
