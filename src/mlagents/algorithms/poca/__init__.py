"""Multi-agent posthumous credit assignment (MA-POCA, arXiv:2111.05992)."""
