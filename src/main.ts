#!/usr/bin/env node
// Begins: looks at the Node that runs it, then hands the command line over. Nothing is imported before that look.

const NEEDED = 24

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  process.stderr.write(`topicgate needs Node ${NEEDED} or newer, and this is ${process.version}: in a checkout, run it by npx or npm.\n`)
  process.exitCode = 1
} else {
  const { main } = await import('./cli/index.ts')
  process.exitCode = await main(process.argv.slice(2))
}
