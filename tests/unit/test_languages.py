"""Hold the Chinese pages and comments against the English ones: keys, defaults, commands, and numbers in tables.

A page in docs/zh/ has the name, the sections and the code words of the page that it is the translation of.
"""

from __future__ import annotations

import re
from itertools import zip_longest

import pytest
import yaml

from tests.conftest import REPOSITORY

# What stands in one language alone: each page names the other.
LINK_TO_THE_OTHER = re.compile(r'^\[(English|中文)\]\(.*\)$', re.M)
CHINESE = re.compile('[\u4e00-\u9fff]')

PAGES = {
    'README.md': 'README.zh-CN.md',
    **{f'docs/{page.name}': f'docs/zh/{page.name}' for page in sorted(REPOSITORY.glob('docs/zh/*.md'))},
}
each_page = pytest.mark.parametrize('english, chinese', PAGES.items())


def read(place):
    return (REPOSITORY / place).read_text(encoding='utf-8')


def sections(place):
    """A page at its headings of the second level; the first is what stands before them."""
    return re.split(r'^## ', LINK_TO_THE_OTHER.sub('', read(place)), flags=re.M)


def commands(section):
    """The lines of a section's code blocks, without comments and blanks around them."""
    fenced = re.findall(r'^```.*?\n(.*?)^```', section, flags=re.M | re.S)
    indented = re.findall(r'(?:\A|\n\n)((?: {4}.*\n|\n)+)', re.sub(r'^```.*?^```', '', section, flags=re.M | re.S))
    lines = [re.sub(r'(^|\s+)#.*', '', line).strip() for block in [*fenced, *indented] for line in block.splitlines()]
    return [line for line in lines if line]


def code_words(section):
    return set(re.findall(r'`([^`\n]+)`', re.sub(r'^```.*?^```', '', section, flags=re.M | re.S)))


def numbers_in_tables(section):
    """The numbers of each row that has some, without those of code, which is compared apart, and of addresses."""
    rows = re.findall(r'^\|.*\|$', section, flags=re.M)
    plain = (re.sub(r'`[^`]*`|\]\([^)]*\)', '', row) for row in rows)
    return [numbers for numbers in (sorted(re.findall(r'\d+(?:[.,]\d+)*', row)) for row in plain) if numbers]


def differences(english, chinese, compared):
    """For each section in which both pages differ: its Chinese heading, and what each alone has."""
    found = []
    for ours, theirs in zip_longest(sections(english), sections(chinese), fillvalue=''):
        wanted, there = compared(ours), compared(theirs)
        if wanted != there:
            lacking, beyond = [x for x in wanted if x not in there], [x for x in there if x not in wanted]
            heading = theirs.partition('\n')[0] or ours.partition('\n')[0]
            found.append(f'{chinese}, "{heading}": lacks {lacking}, has beyond {english}: {beyond}')
    return found


def test_the_pages_that_are_translated():
    names = ('faq', 'mining', 'parameters', 'training', 'upgrade')
    assert set(PAGES.values()) >= {f'docs/zh/{name}.md' for name in names}
    assert [english for english in PAGES if not (REPOSITORY / english).is_file()] == []


@each_page
def test_both_pages_link_to_each_other(english, chinese):
    for page, other, name in ((english, chinese, '中文'), (chinese, english, 'English')):
        links = re.findall(rf'^\[{name}\]\((\S+)\)$', read(page), re.M)
        assert [((REPOSITORY / page).parent / link).resolve() for link in links] == [(REPOSITORY / other).resolve()]


@each_page
def test_both_pages_have_the_same_sections(english, chinese):
    assert len(sections(chinese)) == len(sections(english))


@each_page
@pytest.mark.parametrize('compared', [commands, code_words, numbers_in_tables], ids=lambda compared: compared.__name__)
def test_both_pages_say_the_same(english, chinese, compared):
    assert differences(english, chinese, compared) == []


@pytest.mark.parametrize('task', ['training', 'infer', 'mining'])
def test_every_key_of_a_template_is_explained_in_both_languages(task):
    template, lacking, block = read(f'{task}-template.yaml'), [], []
    for line in template.splitlines():
        if line.startswith('#'):
            block.append(line)
        else:
            chinese = [bool(CHINESE.search(comment)) for comment in block]
            # English first, then Chinese.
            if not (False in chinese and True in chinese and chinese == sorted(chinese)):
                lacking.append(line.partition(':')[0])
            block = []
    assert lacking == []
    assert len(yaml.safe_load(template)) == len([line for line in template.splitlines() if not line.startswith('#')])
