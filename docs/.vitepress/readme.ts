/** What the site takes from the README, so that it stands once: what the tool promises, and the order of the pages. */

/** The README's list of `- **Question?** Answer [Link](docs/page.md)`, as features of the first page. */
export function promises(readme: string) {
  return [...readme.matchAll(/^- \*\*(.+?)\*\* (.+?) \[([^\]]+)\]\(docs\/([\w-]+)\.md(#[\w-]+)?\)/gm)].map(
    ([, title = '', details = '', linkText = '', page = '', fragment = '']) => ({
      title,
      details: details.replaceAll(/`([^`]+)`/g, '<code>$1</code>'),
      link: `/${page}${fragment}`,
      linkText,
    }),
  );
}

/** The README's lines of `**Group**: [Page](docs/page.md) · …`, as groups of the sidebar. */
export function pageGroups(readme: string, repository: string) {
  return [...readme.matchAll(/^\*\*([^*]+)\*\*: (\[.+)$/gm)].map(([, text = '', links = '']) => ({
    text,
    items: [...links.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, page = '', path = '']) => {
      const [, own] = /^docs\/([\w-]+)\.md$/.exec(path) ?? [];
      return { text: page, link: own === undefined ? `${repository}/blob/main/${path}` : `/${own}` };
    }),
  }));
}
