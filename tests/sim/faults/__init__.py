"""The faults that a campaign strikes with: one module per family, one class per fault."""
