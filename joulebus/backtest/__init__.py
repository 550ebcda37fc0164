"""`joulebus backtest`: a year of a site's own load and PV, played through what runs live."""
