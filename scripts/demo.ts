// `npm run demo`: the command line's own `demo`, with its options.

import { main } from '../src/cli/index.ts'

process.exitCode = await main(['demo', ...process.argv.slice(2)])
