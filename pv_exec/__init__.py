"""Read photovoltaic inverters once and print their values as Influx line protocol."""

__version__ = "0.1.0"
