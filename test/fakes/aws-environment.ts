// What the AWS SDK reads in the environment, and nothing of the machine that a test runs on.

import type { TestContext } from 'node:test'

/** For the time of the test: these variables, and no other one that the SDK looks for. */
export function setAws(t: TestContext, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env }
  t.after(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
    Object.assign(process.env, before)
  })
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
  Object.assign(process.env, {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    ...variables,
  })
}
