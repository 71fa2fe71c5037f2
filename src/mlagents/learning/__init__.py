"""What everything that learns shares: trained models, compiled calls, sequences, schedules, protocols."""
