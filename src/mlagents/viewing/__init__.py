"""What people see and do: seats in a window or a terminal, keys, pictures, recordings."""
