// `npm run record -- [FILE or FOLDER…]`: what scenarios expect, as a Kafka with StandardAuthorizer and the gate before an open one answer today.

import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { FOLDER, readScenario, scenarioFiles } from '../test/scenarios/form.ts'
import { Recorder } from '../test/scenarios/recorder.ts'
import { laidOut } from './scenario-yaml.ts'
import { versions } from './stack/versions.ts'

const SOURCE = `recorded from Kafka ${versions.kafka.broker} with StandardAuthorizer`

const named = process.argv.slice(2).map(path => relative(FOLDER, resolve(path)))
const isNamed = (file: string): boolean => named.length === 0 || named.some(path => file === path || file.startsWith(`${path}/`))
/** What was read from Kafka's source, because no released broker serves it, stays as it is. */
const isRecorded = (file: string): boolean => /^(recorded .*)?$/.test(readScenario(file).source)
const files = scenarioFiles().filter(file => isNamed(file) && isRecorded(file))

const recorder = await Recorder.start()
let different = 0
try {
  for (const file of files) {
    try {
      const then = await recorder.record(readScenario(file))
      writeFileSync(join(FOLDER, file), laidOut(readFileSync(join(FOLDER, file), 'utf8'), then, SOURCE))
    } catch (why) {
      different++
      process.stdout.write(`${file}: not recorded\n  ${(why as Error).message}\n`)
    }
  }
} finally {
  await recorder.stop()
}
process.stdout.write(`${files.length - different} recorded, ${different} not\n`)
process.exitCode = different === 0 && files.length > 0 ? 0 : 1
