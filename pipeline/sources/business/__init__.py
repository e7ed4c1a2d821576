"""A simulated business around the contact centre: customers, their use, money, tickets, opinions, staff."""
