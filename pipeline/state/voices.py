"""Surveys, accounts and agents in memory: which fact sets, what they count, how long they stay.

Source: architecture.md §2 Horizons; docs/decisions/0010-how-long-a-survey-stays.md. Accounts and agents
never leave: what they are now, and every step of a prefix sum, follows from all their facts.
"""

from typing import Final

from pipeline.entities import account_metrics, agent_metrics, survey_metrics
from pipeline.entities.factset import FactSet
from pipeline.events import account, agent, survey
from pipeline.events.account import AccountFact
from pipeline.events.agent import AgentFact
from pipeline.events.survey import SurveyFact
from pipeline.metrics.buckets import Contribution
from pipeline.metrics.definitions import Definitions
from pipeline.state.ledger import Ledger
from pipeline.state.retention import Horizons
from pipeline.state.tallied import Tallied, Tally

SURVEY: Final = FactSet[SurveyFact]
ACCOUNT: Final = FactSet[AccountFact]
AGENT: Final = FactSet[AgentFact]


def survey_contributions(entity: FactSet[SurveyFact], _: Definitions, _tenant: str) -> list[Contribution]:
    """What a survey counts, whatever is declared."""
    return survey_metrics.contributions(entity)


def account_contributions(entity: FactSet[AccountFact], _: Definitions, _tenant: str) -> list[Contribution]:
    """What an account counts, whatever is declared."""
    return account_metrics.contributions(entity)


def agent_contributions(
    entity: FactSet[AgentFact], definitions: Definitions, tenant: str
) -> list[Contribution]:
    """What an agent counts by the days of its tenant."""
    return agent_metrics.contributions(entity, definitions.zone(tenant))


def make_surveys(ledger: Ledger, definitions: Definitions, horizons: Horizons) -> Tallied:
    """The surveys of one partition: they leave `survey_ms` after the last event that named them."""
    stay = horizons.survey_ms
    tally = Tally(survey.STREAM, survey_contributions, lambda entity: entity.touched_at + stay, stay)
    return Tallied(tally, ledger, definitions)


def make_accounts(ledger: Ledger, definitions: Definitions, _: Horizons) -> Tallied:
    """The accounts of one partition."""
    return Tallied(Tally(account.STREAM, account_contributions), ledger, definitions)


def make_agents(ledger: Ledger, definitions: Definitions, _: Horizons) -> Tallied:
    """The agents of one partition."""
    return Tallied(Tally(agent.STREAM, agent_contributions), ledger, definitions)
