// Metrics for Prometheus: read from the counters and the process when they are asked for; nothing is counted here.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { COUNTERS, counterRow } from './counters.ts'

/** What the process can say of itself at the moment of asking. Labels are bounded sets. */
export interface Figure {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** One number, or one by values of the labels. */
  read(): number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
}

export interface MetricsOptions {
  readonly version: string
  readonly workers: number
  readonly counters: SharedArrayBuffer
  readonly figures: readonly Figure[]
}

const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
const words = (name: string): string => snake(name).replaceAll('_', ' ')

export class Metrics {
  readonly contentType: string
  readonly #registry = new Registry()

  constructor({ version, workers, counters, figures }: MetricsOptions) {
    this.contentType = this.#registry.contentType
    const registers = [this.#registry]
    collectDefaultMetrics({ prefix: 'topicgate_', register: this.#registry })
    for (const [index, counter] of COUNTERS.entries()) {
      new Counter({
        name: `topicgate_${snake(counter)}_total`,
        help: `Count of ${words(counter)}.`,
        labelNames: ['worker'],
        registers,
        collect() {
          this.reset()
          for (let worker = 0; worker < workers; worker++) this.inc({ worker: String(worker) }, counterRow(counters, worker)[index]!)
        },
      })
    }
    for (const figure of figures) {
      new Gauge({
        name: `topicgate_${figure.name}`,
        help: figure.help,
        labelNames: [...(figure.labels ?? [])],
        registers,
        collect() {
          const value = figure.read()
          if (typeof value === 'number') this.set(value)
          else {
            this.reset()
            for (const one of value) this.set(one.labels, one.value)
          }
        },
      })
    }
    new Gauge({ name: 'topicgate_build_info', help: 'Always 1.', labelNames: ['version', 'node'], registers }).set(
      { version, node: process.version },
      1,
    )
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
