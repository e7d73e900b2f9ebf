// A release's entry in CHANGELOG.md is for readers: the changesets' own words, and no commit hashes.
export default {
  getReleaseLine: async ({ summary }) => `- ${summary.trim().replaceAll(/\n(?=.)/g, '\n  ')}`,
  getDependencyReleaseLine: async () => '',
}
