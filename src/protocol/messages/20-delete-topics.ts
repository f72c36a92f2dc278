import { api, list } from '../schema.ts'

export const DeleteTopics = api(20, 'DeleteTopics', '1-6', '4+', {
  request: {
    topics: list('6+', {
      name:                        'string? 6+ = null @topicName',
      topicId:                     'uuid 6+',
    }),
    topicNames:                    list('0-5', 'string @topicName'),
    timeoutMs:                     'int32',
  },
  response: {
    throttleTimeMs:                'int32 1+',
    responses: list({
      name:                        'string?6+ @topicName',
      topicId:                     'uuid 6+',
      errorCode:                   'int16',
      errorMessage:                'string? 5+ = null',
    }),
  },
})
