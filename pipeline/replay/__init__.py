"""Numbers from a list of events, without Kafka: the same pure core, asked after the fact."""
