"""Names in the tables of where data are needed most: sides, columns, checks."""
SIDES = ("arrivals", "departures")      # reported by the destination's office, by the origin's
CORRIDOR_COLUMNS = ("rank", "origin", "destination", "by", "persons", "share", "seen", "width", "width_reported",
                    "narrowing", "lower", "upper", "lower_reported", "upper_reported", "narrowing_below",
                    "narrowing_above", "gain")
COUNTRY_COLUMNS = ("rank", "territory", "side", "corridors", "persons", "share", "new", "width", "width_reported",
                   "narrowing", "sigma", "sigma_reported", "gain", "lower", "upper", "lower_reported", "upper_reported",
                   "narrowing_persons")
ITSELF, ELSEWHERE, TWIN = "the office itself", "its other corridors", "added on the twin"
CHECK_COLUMNS = ("check", "office", "side", "n", "predicted", "realised", "error_before", "error_after")
LADDER = ("nothing of the office", "the other end's report of the same year", "its other corridors",
          "its earlier years", "the report itself")
