"""What people do: accounts and signatures, campaigns, corrections, measurements of their own."""
