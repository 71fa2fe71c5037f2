"""Files of 2020: flat trainer sections, curricula and samplers, brought to the modern form."""
