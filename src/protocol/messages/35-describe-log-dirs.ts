import { api, list } from '../schema.ts'

export const DescribeLogDirs = api(35, 'DescribeLogDirs', '1-5', '2+', {
  request: {
    topics: list('?', {
      topic:                       'string @topicName',
      partitions:                  list('int32'),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16 3+',
    results: list({
      errorCode:                   'int16',
      logDir:                      'string',
      topics: list({
        name:                      'string @topicName',
        partitions: list({
          partitionIndex:          'int32',
          partitionSize:           'int64',
          offsetLag:               'int64',
          isFutureKey:             'bool',
        }),
      }),
      totalBytes:                  'int64 4+ = -1',
      usableBytes:                 'int64 4+ = -1',
      isCordoned:                  'bool 5+ = false',
    }),
  },
})
