"""Write data/territories.csv: the 231 territories, their codes and regions.

Codes and names come from ISO 3166-1 and regions from UN M49, both as carried by country_converter; the list itself is
every ISO 3166-1 territory less the uninhabited ones, the Holy See, and the parts that UN DESA counts with another
territory. Alpha-2 codes are written in lower case: "NA", Namibia's, is a missing value to many readers of CSV files.
Run once; the result is committed.
"""
import country_converter as coco

from humanflows import paths

LEFT_OUT = ("ALA", "ATA", "ATF", "BLM", "BVT", "CCK", "CXR", "GGY", "HMD", "IOT", "JEY", "MAF", "NFK", "PCN", "SGS",
            "SJM", "UMI", "VAT", "XKX")
BROADER = {
    **dict.fromkeys(["Caribbean", "South America", "Central America"], "Latin America and the Caribbean"),
    **dict.fromkeys(["Southern Europe", "Northern Europe", "Eastern Europe", "Western Europe"], "Europe"),
    **dict.fromkeys(["Polynesia", "Micronesia", "Melanesia", "Australia and New Zealand"], "Oceania"),
    **dict.fromkeys(["Eastern Africa", "Western Africa", "Middle Africa", "Southern Africa"], "Sub-Saharan Africa"),
    "South-eastern Asia": "South-Eastern Asia",
}

if __name__ == "__main__":
    table = coco.CountryConverter().data
    table = table[table.obsolete.isna() & ~table.ISO3.isin(LEFT_OUT)].copy()
    table["region"] = table.UNregion.replace(BROADER)
    table.loc[table.ISO3 == "TWN", "region"] = "Eastern Asia"
    table = table.rename(columns={"ISO3": "iso3", "ISO2": "iso2", "ISOnumeric": "m49", "name_short": "name"})
    table["iso2"] = table["iso2"].str.extract(r"([A-Z]{2})")[0].str.lower()  # some are patterns, "^GB$|^UK$"
    table = table[["iso3", "iso2", "m49", "name", "region"]].sort_values("iso3")
    assert len(table) == 231, len(table)
    table.to_csv(paths.TERRITORIES, index=False)
