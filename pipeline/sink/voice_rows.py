"""Surveys, accounts and agents as rows: what their facts say, nothing judged.

Source: clickhouse.md §2-§3. What must go away becomes a row with the key alone and `deleted` = 1.
Lists of instants are integers, ms UTC, 0 where there is none.
"""

from typing import Final

from pipeline.entities.account import read_profile, stays
from pipeline.entities.agent import read_career
from pipeline.entities.factset import FactSet
from pipeline.entities.order import in_order
from pipeline.entities.survey import read_survey
from pipeline.events.account import PREFERENCE_NOTED, PROBLEM_NOTED, AccountFact
from pipeline.events.agent import AgentFact
from pipeline.events.survey import QUESTIONS, SurveyFact
from pipeline.sink.contact_rows import Origin
from pipeline.sink.tables import Row

_UNKNOWN: Final = -1


def survey_row(key: str, survey: FactSet[SurveyFact], origin: Origin) -> Row:
    """One row of `surveys`."""
    name, read = _name(key, origin), read_survey(survey)
    if read is None:
        nothing = (None, None, None, None, None, 0, survey.touched_at, 1)
        return (*name, *[""] * 8, *nothing, origin.offset)
    sent, answer = read.sent, read.answer
    question = answer.question if answer is not None else sent.question if sent is not None else 0
    return (
        *name,
        QUESTIONS[question],
        QUESTIONS[sent.question] if sent is not None else "",
        read.queue,
        read.agent,
        read.contact,
        read.ticket,
        read.respondent,
        read.account,
        sent.at if sent is not None else None,
        answer.at if answer is not None else None,
        answer.score if answer is not None else None,
        answer.scale_min if answer is not None else None,
        answer.scale_max if answer is not None else None,
        int(read.commented),
        survey.touched_at,
        0,
        origin.offset,
    )


def account_row(key: str, account: FactSet[AccountFact], origin: Origin) -> Row:
    """One row of `accounts`; `stage` '' where none is stated or it was merged away."""
    name = _name(key, origin)
    if not account.facts:
        lists: tuple[list[object], ...] = ([], [], [], [], [])
        return (*name, *[""] * 6, None, None, *lists, account.touched_at, 1, origin.offset)
    profile, told = read_profile(account), stays(account)
    facts = in_order(account.facts)
    standing = told[-1] if told and told[-1].left_at is None else None
    return (
        *name,
        standing.stage if standing is not None else "",
        profile.owner,
        profile.segment,
        profile.plan,
        profile.region,
        profile.merged_into,
        profile.created_at,
        profile.merged_at,
        [stay.stage for stay in told],
        [stay.entered_at for stay in told],
        [stay.left_at or 0 for stay in told],
        [fact.ref for fact in facts if fact.kind == PROBLEM_NOTED],
        [fact.ref for fact in facts if fact.kind == PREFERENCE_NOTED],
        account.touched_at,
        0,
        origin.offset,
    )


def agent_row(key: str, agent: FactSet[AgentFact], origin: Origin) -> Row:
    """One row of `agents`; `department` '' when not on the staff."""
    name = _name(key, origin)
    career = read_career(agent)
    posts = career.posts
    standing = posts[-1] if posts and posts[-1].left_at is None else None
    return (
        *name,
        standing.department if standing is not None else "",
        [post.department for post in posts],
        [post.since for post in posts],
        [post.left_at or 0 for post in posts],
        career.moves,
        [at for at, _ in career.departures],
        [_UNKNOWN if voluntary is None else int(voluntary) for _, voluntary in career.departures],
        agent.touched_at,
        int(not agent.facts),
        origin.offset,
    )


def _name(key: str, origin: Origin) -> Row:
    tenant, _, entity = key.partition("|")
    return tenant, entity, origin.epoch, origin.partition
