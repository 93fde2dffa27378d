"""Taking a campaign elsewhere: tables, a database of its own, a crate that proves itself."""
