"""The explorers' own source travels with the package: a report has one beside its page."""
