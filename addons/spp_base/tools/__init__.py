"""Helpers of the database that every SPP addon may use."""
